package ledgertest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Memory is the ledger in maps, for tests of what stands on it: the contract of
// [Store] in its shortest form, which passes the suite. Every listing looks at
// everything: O(n). The zero value is ready; safe for concurrent use.
//
// A test may set or change what is stored by the Put methods, past all
// conditions. Faults are put around it with [Around].
type Memory struct {
	mu       sync.Mutex
	heads    map[push.ID]push.Notification
	plans    map[push.ChunkRef]ledger.Plan
	lines    map[push.ChunkRef]ledger.Line
	attempts map[push.ChunkRef][]ledger.Attempt
	retired  map[push.ID]time.Time // absent for every reader
}

var _ Store = (*Memory)(nil)

// locked runs f under the lock, unless ctx has ended.
func (m *Memory) locked(ctx context.Context, f func() error) error {
	err := ctx.Err()
	if err == nil {
		m.set(func() { err = f() })
	}
	return err
}

// set runs f under the lock, with all maps made.
func (m *Memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.heads == nil {
		m.heads = map[push.ID]push.Notification{}
		m.plans, m.lines = map[push.ChunkRef]ledger.Plan{}, map[push.ChunkRef]ledger.Line{}
		m.attempts, m.retired = map[push.ChunkRef][]ledger.Attempt{}, map[push.ID]time.Time{}
	}
	f()
}

// PutNotification stores a notification in place of the one with its id.
func (m *Memory) PutNotification(n push.Notification) {
	m.set(func() { m.heads[n.ID] = n })
}

// ChangeNotification changes a notification that is stored.
func (m *Memory) ChangeNotification(id push.ID, change func(n *push.Notification)) {
	m.set(func() {
		n := m.heads[id]
		change(&n)
		m.heads[id] = n
	})
}

// PutLine stores a line in place of the one of its chunk.
func (m *Memory) PutLine(l ledger.Line) {
	m.set(func() { m.lines[l.Ref] = copied(l) })
}

// PutPlan stores a plan in place of the one of its chunk.
func (m *Memory) PutPlan(p ledger.Plan) {
	m.set(func() { m.plans[p.Ref] = p })
}

// PutAttempts stores the evidence of a chunk in place of what it had.
func (m *Memory) PutAttempts(ref push.ChunkRef, all []ledger.Attempt) {
	m.set(func() { m.attempts[ref] = slices.Clone(all) })
}

// ForgetNotification removes a notification, but not its lines.
func (m *Memory) ForgetNotification(id push.ID) {
	m.set(func() { delete(m.heads, id) })
}

// ForgetLine removes a chunk's line, but not its plan and evidence.
func (m *Memory) ForgetLine(ref push.ChunkRef) {
	m.set(func() { delete(m.lines, ref) })
}

// AllLines returns every line, by chunk.
func (m *Memory) AllLines() map[push.ChunkRef]ledger.Line {
	all := map[push.ChunkRef]ledger.Line{}
	m.set(func() {
		for ref, l := range m.lines {
			all[ref] = copied(l)
		}
	})
	return all
}

// AllAttempts returns all evidence, by chunk, each in the order in which it was saved.
func (m *Memory) AllAttempts() map[push.ChunkRef][]ledger.Attempt {
	all := map[push.ChunkRef][]ledger.Attempt{}
	m.set(func() {
		for ref, evidence := range m.attempts {
			all[ref] = slices.Clone(evidence)
		}
	})
	return all
}

// Create implements [Store].
func (m *Memory) Create(ctx context.Context, n push.Notification) (stored push.Notification, created bool, err error) {
	err = m.locked(ctx, func() error {
		if _, gone := m.retired[n.ID]; gone {
			return errRetired
		}
		var there bool
		if stored, there = m.heads[n.ID]; !there {
			m.heads[n.ID], stored, created = n, n, true
		}
		return nil
	})
	return stored, created, err
}

// Notification implements [Store].
func (m *Memory) Notification(ctx context.Context, id push.ID) (n push.Notification, err error) {
	err = m.locked(ctx, func() error {
		n, err = of(m.heads, id)
		return err
	})
	return n, err
}

// Advance implements [Store].
func (m *Memory) Advance(ctx context.Context, id push.ID, next push.Progress) error {
	return m.locked(ctx, func() error {
		n, ok := m.heads[id]
		if !ok || n.Progress.Version != next.Version-1 {
			return push.ErrConflict
		}
		n.Progress = next
		m.heads[id] = n
		return nil
	})
}

// Notifications implements [Store].
func (m *Memory) Notifications(ctx context.Context, tenant, cursor string, limit int) ([]push.Notification, string, error) {
	return m.list(ctx, func(n *push.Notification) bool { return n.Tenant == tenant }, newestFirst, cursor, limit)
}

// Accepted implements [Store].
func (m *Memory) Accepted(ctx context.Context, tenant string, after time.Time, id push.ID, before time.Time, limit int,
) ([]push.Notification, error) {
	place := push.Notification{ID: id, AcceptedAt: after}
	page, _, err := m.list(ctx, func(n *push.Notification) bool {
		return n.Tenant == tenant && n.AcceptedAt.Before(before) && oldestFirst(*n, place) > 0
	}, oldestFirst, "", limit)
	return page, err
}

// Behind implements [Store].
func (*Memory) Behind(accepted time.Time, id push.ID) string {
	return accepted.UTC().Format(time.RFC3339Nano) + " " + string(id)
}

// place reads what Behind wrote.
func place(cursor string) (n push.Notification, err error) {
	at, id, _ := strings.Cut(cursor, " ")
	n.ID = push.ID(id)
	if n.AcceptedAt, err = time.Parse(time.RFC3339Nano, at); err != nil || id == "" {
		return n, push.ErrCursor
	}
	return n, nil
}

// Unenqueued implements [Store].
func (m *Memory) Unenqueued(ctx context.Context, before time.Time, limit int) ([]push.Notification, error) {
	page, _, err := m.list(ctx, func(n *push.Notification) bool { return inOutbox(n) && n.AcceptedAt.Before(before) }, oldestFirst, "", limit)
	return page, err
}

// Unfinished implements [Store].
func (m *Memory) Unfinished(ctx context.Context, before time.Time, cursor string, limit int) ([]push.Notification, string, error) {
	return m.list(ctx, func(n *push.Notification) bool {
		return n.Progress.Unfinished() && !inOutbox(n) && n.AcceptedAt.Before(before)
	}, oldestFirst, cursor, limit)
}

func inOutbox(n *push.Notification) bool {
	return !n.Progress.Enqueued && n.Progress.State != push.StateUploading
}

func oldestFirst(a, b push.Notification) int {
	return cmp.Or(a.AcceptedAt.Compare(b.AcceptedAt), strings.Compare(string(a.ID), string(b.ID)))
}

func newestFirst(a, b push.Notification) int { return oldestFirst(b, a) }

// list returns a page of the notifications that take accepts. Its cursor is the
// place of the last one.
func (m *Memory) list(ctx context.Context, take func(
	*push.Notification,
) bool, order func(a, b push.Notification) int, cursor string, limit int,
) (page []push.Notification, next string, err error) {
	err = m.locked(ctx, func() error {
		var last push.Notification
		if cursor != "" {
			if last, err = place(cursor); err != nil {
				return err
			}
		}
		for _, n := range m.heads {
			if take(&n) && (cursor == "" || order(n, last) > 0) {
				page = append(page, n)
			}
		}
		slices.SortFunc(page, order)
		if len(page) > limit {
			page = page[:limit]
			next = m.Behind(page[limit-1].AcceptedAt, page[limit-1].ID)
		}
		return nil
	})
	return page, next, err
}

// Plan implements [Store].
func (m *Memory) Plan(ctx context.Context, plans []ledger.Plan, now time.Time) (lines []ledger.Line, err error) {
	err = m.locked(ctx, func() error {
		for _, p := range plans {
			if _, there := m.lines[p.Ref]; !there {
				m.plans[p.Ref], m.lines[p.Ref] = p, copied(ledger.NewLine(p, now))
			}
			lines = append(lines, copied(m.lines[p.Ref]))
		}
		return nil
	})
	return lines, err
}

// Plans implements [Store].
func (m *Memory) Plans(ctx context.Context, id push.ID, from, limit int) (plans []ledger.Plan, err error) {
	err = m.locked(ctx, func() error {
		for _, ref := range chunksOf(m.plans, id, from, limit) {
			plans = append(plans, m.plans[ref])
		}
		return nil
	})
	return plans, err
}

// Line implements [Store].
func (m *Memory) Line(ctx context.Context, ref push.ChunkRef) (l ledger.Line, err error) {
	err = m.locked(ctx, func() error {
		l, err = of(m.lines, ref)
		l = copied(l)
		return err
	})
	return l, err
}

// Lines implements [Store].
func (m *Memory) Lines(ctx context.Context, id push.ID, from, limit int) (lines []ledger.Line, err error) {
	err = m.locked(ctx, func() error {
		for _, ref := range chunksOf(m.lines, id, from, limit) {
			lines = append(lines, copied(m.lines[ref]))
		}
		return nil
	})
	return lines, err
}

// SaveLine implements [Store].
func (m *Memory) SaveLine(ctx context.Context, l ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error {
	return m.replace(ctx, l, fromEpoch, attempts, func(s ledger.State) bool { return s != ledger.StateClosed })
}

// ReopenLine implements [Store].
func (m *Memory) ReopenLine(ctx context.Context, l ledger.Line, fromEpoch int64, marks []ledger.Attempt) error {
	return m.replace(ctx, l, fromEpoch, marks, func(s ledger.State) bool { return s == ledger.StateClosed })
}

func (m *Memory) replace(ctx context.Context, l ledger.Line, fromEpoch int64, evidence []ledger.Attempt,
	from func(ledger.State) bool,
) error {
	return m.locked(ctx, func() error {
		old, there := m.lines[l.Ref]
		if !there || old.Epoch != fromEpoch || !from(old.State) {
			return ledger.ErrFenced
		}
		m.lines[l.Ref] = copied(l)
		m.attempts[l.Ref] = append(m.attempts[l.Ref], evidence...)
		return nil
	})
}

// Attempts implements [Store].
func (m *Memory) Attempts(ctx context.Context, ref push.ChunkRef) (all []ledger.Attempt, err error) {
	err = m.locked(ctx, func() error {
		all = slices.Clone(m.attempts[ref])
		return nil
	})
	return all, err
}

// EraseRecipients implements [Store].
func (m *Memory) EraseRecipients(ctx context.Context, id push.ID, change func(n *push.Notification) bool) error {
	return m.locked(ctx, func() error {
		n, err := of(m.heads, id)
		if err != nil {
			return err
		}
		if changed := n; change(&changed) {
			n.Target, n.Message = changed.Target, changed.Message
			m.heads[id] = n
		}
		return nil
	})
}

// EraseHashes implements [Store].
func (m *Memory) EraseHashes(ctx context.Context, ref push.ChunkRef, cells []int, hash uint64) error {
	return m.locked(ctx, func() error {
		p, there := m.plans[ref]
		if !there {
			return nil
		}
		p.Hashes = slices.Clone(p.Hashes)
		for _, c := range cells {
			if c >= 0 && c < len(p.Hashes) {
				p.Hashes[c] = hash
			}
		}
		m.plans[ref] = p
		return nil
	})
}

// Counts implements [Store].
func (m *Memory) Counts(ctx context.Context, id push.ID) (sum ledger.Counts, err error) {
	err = m.locked(ctx, func() error {
		for ref, l := range m.lines {
			if ref.Notification == id {
				part := l.Tally()
				sum.Add(&part)
			}
		}
		return nil
	})
	return sum, err
}

// of returns what m has under key, or push.ErrNotFound.
func of[K comparable, V any](m map[K]V, key K) (V, error) {
	v, ok := m[key]
	if !ok {
		return v, push.ErrNotFound
	}
	return v, nil
}

// chunksOf returns up to limit chunks of a notification with sequence >= from, ascending.
func chunksOf[V any](m map[push.ChunkRef]V, id push.ID, from, limit int) []push.ChunkRef {
	var refs []push.ChunkRef
	for ref := range m {
		if ref.Notification == id && ref.Seq >= from {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b push.ChunkRef) int { return cmp.Compare(a.Seq, b.Seq) })
	return refs[:min(limit, len(refs))]
}

// copied shares no cells with l, which its owner settles in place.
func copied(l ledger.Line) ledger.Line {
	l.Cells = slices.Clone(l.Cells)
	return l
}
