// Package pause stops sending for everything, for a tenant or for an app of it, until somebody lifts that. It says what is
// paused, why, since when and by whom; it stops nothing itself: whoever sends asks it before every request.
//
// All pauses are one small document, which every process reads twice a second. While the store is away a process keeps
// to what it read last: what is paused stays paused, and what is not goes on.
package pause
