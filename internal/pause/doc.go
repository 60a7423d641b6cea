// Package pause stops sending until somebody lifts that: for everything, for a tenant or an app of it, for a lane of them,
// or for a tenant's notifications with a label. It says what is paused, why, since when and by whom; it stops nothing
// itself: whoever sends asks it before every request.
//
// All pauses are one small document, which every process reads twice a second. While the store is away a process keeps
// to what it read last: what is paused stays paused, and what is not goes on.
package pause
