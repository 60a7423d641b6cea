package telemetry

import "go.uber.org/zap"

// Ailing tells a failure that repeats only when it begins and when it is over. The zero value
// is well. It is for one goroutine.
type Ailing struct{ is bool }

// Note logs what is being done and whether it fails now, if that has changed.
func (a *Ailing) Note(log *zap.Logger, doing string, err error) {
	if fails := err != nil; fails != a.is {
		a.is = fails
		if fails {
			log.Warn("a recurring task fails; trying on", zap.String("what", doing), zap.Error(err))
		} else {
			log.Info("a recurring task works again", zap.String("what", doing))
		}
	}
}
