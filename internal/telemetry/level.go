package telemetry

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// DebugFor is how long [Level.Toggle] logs at debug: long enough to see the same fault
// again, short enough that whoever forgets it fills no disk.
const DebugFor = 15 * time.Minute

// Level is the level of a running logger. It is safe for concurrent use.
type Level struct {
	set   zap.AtomicLevel
	usual zapcore.Level // as the settings have it

	mu   sync.Mutex
	back *time.Timer // until the usual level comes back; nil at the usual level
}

func newLevel(usual zapcore.Level) *Level {
	return &Level{set: zap.NewAtomicLevelAt(usual), usual: usual}
}

// Toggle logs at debug for [DebugFor], or, when it does already, at the usual level again.
// log, which says so, is a logger of this level.
func (l *Level) Toggle(log *zap.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.restore(log)
		return
	}
	l.set.SetLevel(zapcore.DebugLevel)
	tell(log, zap.Stringer("from", l.usual), zap.Stringer("to", zapcore.DebugLevel), zap.Duration("for", DebugFor))
	var timer *time.Timer
	timer = time.AfterFunc(DebugFor, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.back == timer { // nobody was faster
			l.restore(log)
		}
	})
	l.back = timer
}

// Stop ends the wait for the usual level, which is set at once.
func (l *Level) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		l.back.Stop()
		l.back = nil
		l.set.SetLevel(l.usual)
	}
}

// restore wants the lock.
func (l *Level) restore(log *zap.Logger) {
	l.back.Stop()
	l.back = nil
	tell(log, zap.Stringer("from", zapcore.DebugLevel), zap.Stringer("to", l.usual))
	l.set.SetLevel(l.usual)
}

// tell runs while the level is debug, so that the line is written whatever the usual one is.
func tell(log *zap.Logger, fields ...zap.Field) { log.Info("log level changed", fields...) }
