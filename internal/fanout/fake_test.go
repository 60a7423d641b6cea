package fanout_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

var errAway = errors.New("it is away")

// faults makes the n-th call of a port fail, before or after its effect, as a
// crash at that place would look to whoever comes next.
type faults struct {
	mu    sync.Mutex
	calls int
	at    int // from 1; 0 never
	after bool
}

func (f *faults) around(effect func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.calls == f.at && !f.after {
		return errAway
	}
	err := effect()
	if f.calls == f.at {
		return errAway
	}
	return err
}

// books are the notifications and the lines, in memory.
type books struct {
	*faults
	heads map[push.ID]push.Notification
	plans map[push.ChunkRef]ledger.Plan
	lines map[push.ChunkRef]ledger.Line

	evidence map[push.ChunkRef][]ledger.Attempt
}

func (b *books) Notification(_ context.Context, id push.ID) (n push.Notification, err error) {
	return n, b.around(func() (err error) {
		var ok bool
		if n, ok = b.heads[id]; !ok {
			err = push.ErrNotFound
		}
		return err
	})
}

func (b *books) Advance(_ context.Context, id push.ID, next push.Progress) error {
	return b.around(func() error {
		n := b.heads[id]
		if next.Version != n.Progress.Version+1 {
			return push.ErrConflict
		}
		n.Progress = next
		b.heads[id] = n
		return nil
	})
}

func (b *books) Counts(context.Context, push.ID) (sum ledger.Counts, err error) {
	return sum, b.around(func() error {
		for _, l := range b.lines {
			part := l.Tally()
			sum.Add(&part)
		}
		return nil
	})
}

func (b *books) Lines(_ context.Context, _ push.ID, from, limit int) (lines []ledger.Line, err error) {
	return lines, b.around(func() error {
		for _, l := range b.lines {
			if l.Ref.Seq >= from {
				lines = append(lines, l)
			}
		}
		slices.SortFunc(lines, func(a, b ledger.Line) int { return a.Ref.Seq - b.Ref.Seq })
		lines = lines[:min(limit, len(lines))]
		return nil
	})
}

func (b *books) Plan(_ context.Context, plans []ledger.Plan, now time.Time) (lines []ledger.Line, err error) {
	return lines, b.around(func() error {
		for _, p := range plans {
			if _, ok := b.plans[p.Ref]; !ok {
				b.plans[p.Ref], b.lines[p.Ref] = p, ledger.NewLine(p, now)
			}
			lines = append(lines, b.lines[p.Ref])
		}
		return nil
	})
}

func (b *books) Attempts(_ context.Context, ref push.ChunkRef) (all []ledger.Attempt, err error) {
	return all, b.around(func() error {
		all = b.evidence[ref]
		return nil
	})
}

func (b *books) SaveLine(_ context.Context, line ledger.Line, from int64, _ []ledger.Attempt) error {
	return b.around(func() error {
		if old := b.lines[line.Ref]; old.Epoch != from || old.State == ledger.StateClosed {
			return ledger.ErrFenced
		}
		b.lines[line.Ref] = line
		return nil
	})
}

type pageKey struct {
	kind push.PageKind
	n    int
}

// shelf keeps pages; the first of a number stays.
type shelf struct {
	*faults
	pages map[pageKey][]byte
}

func (s *shelf) PutPage(_ context.Context, _ push.ID, kind push.PageKind, n int, data []byte) (stored []byte, err error) {
	return stored, s.around(func() error {
		if _, ok := s.pages[pageKey{kind, n}]; !ok {
			s.pages[pageKey{kind, n}] = data
		}
		stored = s.pages[pageKey{kind, n}]
		return nil
	})
}

func (s *shelf) Page(_ context.Context, _ push.ID, kind push.PageKind, n int) (data []byte, err error) {
	return data, s.around(func() (err error) {
		var ok bool
		if data, ok = s.pages[pageKey{kind, n}]; !ok {
			err = push.ErrNotFound
		}
		return err
	})
}

// registry is the devices by id.
type registry struct {
	*faults
	devices  map[push.ID]push.Device
	recorded []push.Device
	asked    int // addresses looked up
}

func (r *registry) find(match func(d *push.Device) bool) (found []push.Device) {
	for _, id := range slices.Sorted(maps.Keys(r.devices)) {
		if d := r.devices[id]; match(&d) {
			found = append(found, d)
		}
	}
	return found
}

func (r *registry) ReachByAddress(_ context.Context, _ string, as []push.Address) (m map[push.Address]push.Reach, err error) {
	return m, r.around(func() error {
		r.asked += len(as)
		m = map[push.Address]push.Reach{}
		for _, d := range r.find(func(d *push.Device) bool { return slices.Contains(as, d.Address) }) {
			m[d.Address] = push.Reach{Sendable: d.Sendable(), LastSuccessAt: d.LastSuccessAt}
		}
		return nil
	})
}

func (r *registry) DevicesByUser(_ context.Context, _ string, users []string) (m map[string][]push.Device, err error) {
	return m, r.around(func() error {
		m = map[string][]push.Device{}
		for _, d := range r.find(func(d *push.Device) bool { return slices.Contains(users, d.UserID) }) {
			m[d.UserID] = append(m[d.UserID], d)
		}
		return nil
	})
}

func (r *registry) DevicesByID(_ context.Context, _ string, ids []push.ID) (m map[push.ID]push.Device, err error) {
	return m, r.around(func() error {
		m = map[push.ID]push.Device{}
		for _, d := range r.find(func(d *push.Device) bool { return slices.Contains(ids, d.ID) }) {
			m[d.ID] = d
		}
		return nil
	})
}

func (r *registry) RecordDevices(_ context.Context, ds []push.Device) error {
	return r.around(func() error {
		r.recorded = append(r.recorded, ds...)
		return nil
	})
}

// sink keeps what was sent to a queue.
type sink struct {
	*faults
	sent []worker.Outgoing
}

func (s *sink) Send(_ context.Context, msgs []worker.Outgoing) error {
	return s.around(func() error {
		s.sent = append(s.sent, msgs...)
		return nil
	})
}

// chunks decodes what a delivery queue took.
func (s *sink) chunks() (out []push.Chunk) {
	for _, m := range s.sent {
		c, _, err := wire.DecodeChunk(m.Body)
		if err != nil {
			panic(err)
		}
		out = append(out, c)
	}
	return out
}
