package outcome

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// The recorder's bounds. They hold for what waits and what is being written together.
const (
	// maxWaiting bounds what it holds: some 100 bytes a note and its token, which is
	// 18 MiB of tokens of 163 characters. What does not fit is dropped.
	maxWaiting      = 1 << 16
	maxWaitingBytes = 24 << 20
	noteBytes       = 112 // a note without its token
	// enoughWaiting is written at once. The larger a batch, the more of it goes to the
	// same pages of an index.
	enoughWaiting = maxWaiting / 2
	// longestWait is how long what waits is collected while more comes, and quietWait
	// how long nothing must have come for it to be written earlier.
	longestWait = 5 * time.Second
	quietWait   = 250 * time.Millisecond
	// maxNotes is what the registry takes in one call.
	maxNotes = 1000
	// lastWrites bounds what is written at shutdown.
	lastWrites = 8 * time.Second
	// firstRetry and slowestRetry bound the pause after the registry has failed.
	firstRetry, slowestRetry = time.Second, 30 * time.Second
)

// recorder remembers what sends learn about devices beside the sends: a note that it
// takes costs its sender a copy. It writes many notes at once, drops new ones when it is
// full, and forgets what it holds in a crash: the next send learns the same. Notes of dead
// addresses have their own place, which others cannot fill, and are written first.
type recorder struct {
	devices Devices
	apply   func(ctx context.Context, tenant string, notes []push.DeviceNote) error // tells who was quarantined
	log     *zap.Logger
	metrics *Metrics

	mu    sync.Mutex
	dead  held // notes that quarantine, and could not be written when they came
	other held
	wake  chan struct{} // holds one token when something was taken
}

// held are notes by tenant, within bounds.
type held struct {
	notes map[string][]push.DeviceNote
	count int
	bytes int
}

func (h *held) add(tenant string, n push.DeviceNote) bool {
	size := noteBytes + len(n.Address.Value)
	if h.count >= maxWaiting || h.bytes+size > maxWaitingBytes {
		return false
	}
	if h.notes == nil {
		h.notes = map[string][]push.DeviceNote{}
	}
	// A token is a part of its chunk's message, which must not stay for its sake.
	n.Address.Value = push.Token(strings.Clone(n.Address.Value.Reveal()))
	h.notes[tenant] = append(h.notes[tenant], n)
	h.count, h.bytes = h.count+1, h.bytes+size
	return true
}

func newRecorder(c *Config, apply func(ctx context.Context, tenant string, notes []push.DeviceNote) error) *recorder {
	return &recorder{devices: c.Devices, apply: apply, log: c.Log, metrics: c.Metrics, wake: make(chan struct{}, 1)}
}

// take keeps notes until they are written, and drops those that find no room.
func (r *recorder) take(tenant string, notes []push.DeviceNote) {
	if len(notes) == 0 {
		return
	}
	r.mu.Lock()
	for i := range notes {
		into := &r.other
		if notes[i].Quarantine {
			into = &r.dead
		}
		if !into.add(tenant, notes[i]) {
			r.metrics.dropped.Inc()
		}
	}
	r.metrics.waiting.Set(float64(r.dead.count + r.other.count))
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run writes what was taken until ctx ends, and then once more, within lastWrites.
func (r *recorder) run(ctx context.Context) {
	retry := firstRetry
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrites)
			defer cancel()
			if err := r.write(last); err != nil {
				r.log.Warn("what sends learned about devices is lost; the next sends learn it again", zap.Int("notes", r.size()), zap.Error(err))
			}
			return
		case <-r.wake:
		}
		r.collect(ctx)
		err := r.write(ctx)
		if err == nil {
			retry = firstRetry
			continue
		}
		if ctx.Err() == nil {
			r.log.Warn("device registry not updated; trying again", zap.Int("notes", r.size()), zap.Error(err))
			worker.Wait(ctx, retry)
			retry = min(2*retry, slowestRetry)
		}
		select { // what was not written is still there
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// collect waits until there is enough to write, or nothing more comes.
func (r *recorder) collect(ctx context.Context) {
	before := r.size()
	for range longestWait / quietWait {
		if !worker.Wait(ctx, quietWait) {
			return
		}
		size := r.size()
		if size == before || size >= enoughWaiting {
			return
		}
		before = size
	}
}

func (r *recorder) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead.count + r.other.count
}

// write writes everything that was taken before the call, the dead first. What it holds
// counts until it is written; what an error left is kept.
func (r *recorder) write(ctx context.Context) error {
	r.mu.Lock()
	dead, other := held{notes: maps.Clone(r.dead.notes)}, held{notes: maps.Clone(r.other.notes)}
	r.mu.Unlock()
	for tenant, notes := range dead.notes {
		for part := range slices.Chunk(notes, maxNotes) {
			if err := r.apply(ctx, tenant, part); err != nil {
				return err
			}
			r.written(&r.dead, tenant, part)
		}
	}
	for tenant, notes := range other.notes {
		if err := r.writeOther(ctx, tenant, notes); err != nil {
			return err
		}
	}
	return nil
}

// writeOther records the addresses that were unknown, and notes the rest.
func (r *recorder) writeOther(ctx context.Context, tenant string, notes []push.DeviceNote) error {
	unknown := make([]push.DeviceNote, 0, len(notes))
	var known []push.DeviceNote
	for i := range notes {
		if notes[i].Record {
			unknown = append(unknown, notes[i])
		} else {
			known = append(known, notes[i])
		}
	}
	if err := r.devices.RecordDevices(ctx, tenant, unknown); err != nil {
		return err
	}
	for part := range slices.Chunk(known, maxNotes) {
		if err := r.apply(ctx, tenant, part); err != nil {
			return err
		}
	}
	r.written(&r.other, tenant, notes)
	return nil
}

// written forgets notes that were written, the first of a tenant's.
func (r *recorder) written(h *held, tenant string, notes []push.DeviceNote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range notes {
		h.bytes -= noteBytes + len(notes[i].Address.Value)
	}
	h.count -= len(notes)
	if h.notes[tenant] = slices.Clone(h.notes[tenant][len(notes):]); len(h.notes[tenant]) == 0 {
		delete(h.notes, tenant)
	}
	r.metrics.recorded.Add(float64(len(notes)))
	r.metrics.waiting.Set(float64(r.dead.count + r.other.count))
}
