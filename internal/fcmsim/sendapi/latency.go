package sendapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

const (
	// MaxLatency bounds what may be asked for and what may be drawn: longer than any sensible client time-out.
	MaxLatency = 10 * time.Minute
	// maxSigma keeps the log-normal distribution within what a float can carry; 5 is already absurdly wide.
	maxSigma = 5
)

// Latency is a log-normal distribution of answer times: half of the answers take longer than Median, and Sigma is the
// standard deviation of the logarithm (0.3: the 99th percentile is twice the median).
type Latency struct {
	Median time.Duration // 0 to 10 minutes; 0 answers at once
	Sigma  float64       // 0 to 5
}

// Validate names every field that is wrong.
func (l Latency) Validate() error {
	var faults []error
	if l.Median < 0 || l.Median > MaxLatency {
		faults = append(faults, fmt.Errorf("latency median: must be 0 to %v (got %v)", MaxLatency, l.Median))
	}
	if !(l.Sigma >= 0 && l.Sigma <= maxSigma) { // also refuses NaN
		faults = append(faults, fmt.Errorf("latency sigma: must be 0 to %v (got %v)", maxSigma, l.Sigma))
	}
	return errors.Join(faults...)
}

// delay makes answers take their time. It is safe for concurrent use.
type delay struct {
	random *randomSource
	now    atomic.Pointer[Latency]
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
	return time.Duration(min(float64(l.Median)*math.Exp(l.Sigma*d.random.normal()), float64(MaxLatency)))
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
