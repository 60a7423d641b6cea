package push

import "time"

// BreakerWaits says to people how the breaker is that something waits for: half-open, or open until a time, zero if that is
// not known. cause is the outcome code behind it, "" if there is none.
func BreakerWaits(halfOpen bool, until time.Time, cause string) string {
	s := "breaker open"
	switch {
	case halfOpen:
		s = "breaker half-open: a few requests find out whether FCM is back"
	case !until.IsZero():
		s += " until " + until.UTC().Format("15:04:05 UTC")
	}
	if cause != "" {
		s += " (" + cause + ")"
	}
	return s
}
