// Package override keeps what operators have decided of the breakers of FCM credentials in place of what those would decide
// themselves: that one is held open, so that nothing is sent with the credential, or held closed, whatever FCM answers. It
// says who decided it, why and until when; it moves no breaker itself: dispatchers look at it every two seconds and do.
//
// All overrides are one small document. While the store is away a process keeps to what it read last.
package override
