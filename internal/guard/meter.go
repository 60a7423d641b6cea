package guard

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// meterStep is how fine the meter tells times, and meterSteps over how many of
	// them it averages: a second, long enough to see a pace of some requests a second.
	meterStep  = 100 * time.Millisecond
	meterSteps = 10
)

// meter counts answers: how many a second there are now, and when there was a
// healthy one. Counting takes no lock but once in a step.
type meter struct {
	step atomic.Int64 // of the last answer; -1 before the first
	n    atomic.Int64 // in it
	well atomic.Int64 // the step of the last healthy one; -1 before the first

	mu   sync.Mutex
	past [meterSteps]struct{ step, n int64 }
}

func newMeter() *meter {
	m := &meter{}
	m.step.Store(-1)
	m.well.Store(-1)
	return m
}

// healthy notes that there was a healthy answer.
func (m *meter) healthy(now time.Duration) {
	if step := int64(now / meterStep); m.well.Load() != step {
		m.well.Store(step)
	}
}

// count counts an answer. Of those that are counted in the instant in which a step ends
// some may be counted to the next.
func (m *meter) count(now time.Duration) {
	step := int64(now / meterStep)
	if m.step.Load() == step {
		m.n.Add(1)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := m.step.Load(); step > last {
		if last >= 0 {
			m.past[last%meterSteps] = struct{ step, n int64 }{last, m.n.Load()}
		}
		m.n.Store(0)
		m.step.Store(step)
	}
	m.n.Add(1)
}

// perSecond returns the answers of the last second.
func (m *meter) perSecond(now time.Duration) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	oldest := int64(now/meterStep) - meterSteps
	var sum int64
	if m.step.Load() > oldest {
		sum = m.n.Load()
	}
	for _, p := range m.past {
		if p.step > oldest {
			sum += p.n
		}
	}
	return float64(sum) / (meterSteps * meterStep).Seconds()
}

// silent returns the time since the last healthy answer, rounded up by at most one
// step. Before the first healthy answer it is the longest duration.
func (m *meter) silent(now time.Duration) time.Duration {
	last := m.well.Load()
	if last < 0 {
		return now + time.Hour
	}
	return now - time.Duration(last)*meterStep
}
