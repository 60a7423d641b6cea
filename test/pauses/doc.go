// Package pauses stops the sending of a tenant, a label, a lane and everything over real processes, on both backends: what is
// paused is not sent and says so, other work goes on, a dispatcher that is killed changes nothing, and when the pause is lifted
// everybody gets the message once.
package pauses
