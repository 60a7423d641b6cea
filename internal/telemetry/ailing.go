package telemetry

import "go.uber.org/zap"

// Ailing tells a failure that repeats only when it begins and when it is over. The zero value
// is well. It is for one goroutine.
type Ailing struct{ is bool }

// Note logs, as a warning, what is being done and whether it fails now, if that has changed.
func (a *Ailing) Note(log *zap.Logger, doing string, err error) {
	if fails := err != nil; fails != a.is {
		a.is = fails
		log.Warn(doing, zap.Bool("failing", fails), zap.Error(err))
	}
}
