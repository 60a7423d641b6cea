package fcmsim

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// delay makes answers take their time. It is safe for concurrent use.
type delay struct {
	dice *dice
	now  atomic.Pointer[Latency]
}

// set changes the distribution for the answers drawn from here on.
func (d *delay) set(l Latency) { d.now.Store(&l) }

// draw returns how long the next answer takes.
func (d *delay) draw() time.Duration {
	l := d.now.Load()
	if l.Median <= 0 {
		return 0
	}
	if l.Sigma <= 0 {
		return l.Median
	}
	return time.Duration(min(float64(l.Median)*math.Exp(l.Sigma*d.dice.normal()), float64(maxLatency)))
}

// wait holds an answer back on a timer of its own and reports whether the client is still there to hear it.
func (d *delay) wait(ctx context.Context) bool {
	pause := d.draw()
	if pause <= 0 {
		return true
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
