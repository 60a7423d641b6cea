package outcome

import (
	"fmt"
	"sync"
	"time"
)

// Wave is the mass-invalidation guard: it stops quarantining when FCM calls too large a
// share of recently used addresses dead. Such waves have been faults of FCM's, and
// quarantining everybody would be ours. Safe for concurrent use.
type Wave struct {
	share float64
	least int
	span  time.Duration

	mu      sync.Mutex
	buckets [waveBuckets]bucket
	raised  bool
}

// waveBuckets divides the span; the oldest bucket falls out as time passes.
const waveBuckets = 10

type bucket struct {
	slot     int64 // which slice of time it counts
	answered int
	gone     int
}

// Defaults of the guard: a healthy app loses some 1 % of its tokens a month, a
// list not used for half a year perhaps 20 % at once.
const (
	DefaultWaveShare = 0.3
	DefaultWaveLeast = 200
	DefaultWaveSpan  = 10 * time.Minute
)

// NewWave returns a guard that trips when more than share (0..1) of at least
// least answers within span called the address dead or invalid.
func NewWave(share float64, least int, span time.Duration) (*Wave, error) {
	if !(share > 0 && share <= 1) || // written so that a NaN is refused too
		least < 1 || span < waveBuckets*time.Millisecond {
		return nil, fmt.Errorf("mass-invalidation guard: share must be in (0,1], least >= 1, span >= %s (got %g, %d, %s)",
			waveBuckets*time.Millisecond, share, least, span)
	}
	return &Wave{share: share, least: least, span: span}, nil
}

// Observe counts answers and returns whether the guard's state changed.
func (w *Wave) Observe(answered, gone int, now time.Time) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slot := now.UnixNano() / int64(w.span/waveBuckets)
	b := &w.buckets[slot%waveBuckets]
	if b.slot != slot {
		*b = bucket{slot: slot}
	}
	b.answered += answered
	b.gone += gone
	var all bucket
	for i := range w.buckets {
		if slot-w.buckets[i].slot < waveBuckets {
			all.answered += w.buckets[i].answered
			all.gone += w.buckets[i].gone
		}
	}
	raised := all.answered >= w.least && float64(all.gone) > w.share*float64(all.answered)
	changed = raised != w.raised
	w.raised = raised
	return changed
}

// Calm reports whether quarantining is allowed.
func (w *Wave) Calm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.raised
}
