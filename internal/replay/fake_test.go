package replay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/replaytest"
	"github.com/belfry-push/belfry/internal/worker"
)

// errCrash is what every port answers once the process is dead.
var errCrash = errors.New("the process died")

// faults kills a process at a port call, before or after the call had its
// effect. The zero value kills nobody.
type faults struct {
	mu    sync.Mutex
	armed bool
	calls int  // left until it dies
	after bool // the last call has its effect
}

// arm lets the process die at the n-th call from now.
func (f *faults) arm(n int, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.calls, f.after = true, n, after
}

func (f *faults) disarm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
}

// call runs one port call as far as the process lives.
func (f *faults) call(effect func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return effect()
	}
	switch f.calls--; {
	case f.calls > 0:
		return effect()
	case f.calls == 0 && f.after:
		_ = effect()
	}
	return errCrash
}

// mortal is the dead-letter store as a process that may die sees it.
type mortal struct {
	*replaytest.Memory
	*faults
}

func (m mortal) MoveLetters(ctx context.Context, moves []push.LetterMove) (moved []bool, err error) {
	err = m.call(func() (err error) { moved, err = m.Memory.MoveLetters(ctx, moves); return err })
	return moved, err
}

func (m mortal) PutLetters(ctx context.Context, ls []push.Letter) (n int, err error) {
	err = m.call(func() (err error) { n, err = m.Memory.PutLetters(ctx, ls); return err })
	return n, err
}

func (m mortal) Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) (ls []push.Letter, next string, err error) {
	err = m.call(func() (err error) { ls, next, err = m.Memory.Letters(ctx, f, cursor, limit); return err })
	return ls, next, err
}

// books are the ledger.
type books struct {
	*faults
	mu       sync.Mutex
	heads    map[push.ID]push.Notification
	lines    map[push.ChunkRef]ledger.Line
	attempts map[push.ChunkRef][]ledger.Attempt
}

func newBooks(f *faults) *books {
	return &books{faults: f, heads: map[push.ID]push.Notification{}, lines: map[push.ChunkRef]ledger.Line{}, attempts: map[push.ChunkRef][]ledger.Attempt{}}
}

func (b *books) Notification(_ context.Context, id push.ID) (n push.Notification, err error) {
	err = b.call(func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		var ok bool
		if n, ok = b.heads[id]; !ok {
			return push.ErrNotFound
		}
		return nil
	})
	return n, err
}

func (b *books) Advance(_ context.Context, id push.ID, next push.Progress) error {
	return b.call(func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		n := b.heads[id]
		if n.Progress.Version != next.Version-1 {
			return push.ErrConflict
		}
		n.Progress = next
		b.heads[id] = n
		return nil
	})
}

func (b *books) Line(_ context.Context, ref push.ChunkRef) (l ledger.Line, err error) {
	err = b.call(func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		var ok bool
		if l, ok = b.lines[ref]; !ok {
			return push.ErrNotFound
		}
		return nil
	})
	return l, err
}

func (b *books) Attempts(_ context.Context, ref push.ChunkRef) (as []ledger.Attempt, err error) {
	err = b.call(func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		as = slices.Clone(b.attempts[ref])
		return nil
	})
	return as, err
}

func (b *books) replace(l ledger.Line, from int64, marks []ledger.Attempt, closed bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old, ok := b.lines[l.Ref]; !ok || old.Epoch != from || (old.State == ledger.StateClosed) != closed {
		return ledger.ErrFenced
	}
	b.lines[l.Ref] = l
	b.attempts[l.Ref] = append(b.attempts[l.Ref], marks...)
	return nil
}

func (b *books) ReopenLine(_ context.Context, l ledger.Line, from int64, marks []ledger.Attempt) error {
	return b.call(func() error { return b.replace(l, from, marks, true) })
}

func (b *books) SaveLine(_ context.Context, l ledger.Line, from int64, as []ledger.Attempt) error {
	return b.call(func() error { return b.replace(l, from, as, false) })
}

// papers are the documents.
type papers struct {
	*faults
	mu   sync.Mutex
	docs map[string]document.Document
}

func (p *papers) Document(_ context.Context, kind, name string) (d document.Document, err error) {
	err = p.call(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		var ok bool
		if d, ok = p.docs[kind+"/"+name]; !ok {
			return push.ErrNotFound
		}
		return nil
	})
	return d, err
}

func (p *papers) PutDocument(_ context.Context, d document.Document) error {
	return p.call(func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.docs[d.Kind+"/"+d.Name].Version != d.Version-1 {
			return push.ErrConflict
		}
		p.docs[d.Kind+"/"+d.Name] = d
		return nil
	})
}

func (p *papers) DeleteDocument(context.Context, string, string, int64) error { return nil }

func (p *papers) Documents(_ context.Context, kind, _ string, _ int) ([]document.Document, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []document.Document
	for _, key := range slices.Sorted(maps.Keys(p.docs)) {
		if strings.HasPrefix(key, kind+"/") {
			out = append(out, p.docs[key])
		}
	}
	return out, "", nil
}

// box is a queue whose messages stay until they are deleted; receives come at once.
type box struct {
	*faults
	mu   sync.Mutex
	msgs []boxed
	sent int // ever
}

// boxed is a message under the id that it keeps.
type boxed struct {
	worker.Outgoing
	id string
}

// put lays messages into the box. Only its caller uses the box meanwhile.
func (b *box) put(msgs ...worker.Outgoing) {
	for _, m := range msgs {
		b.sent++
		b.msgs = append(b.msgs, boxed{m, strconv.Itoa(b.sent)})
	}
}

func (b *box) Send(_ context.Context, msgs []worker.Outgoing) error {
	return b.call(func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.put(msgs...)
		return nil
	})
}

// take removes the message at i, or leaves it there to come again.
func (b *box) take(i int, leave bool) worker.Outgoing {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.msgs[i]
	if !leave {
		b.msgs = slices.Delete(b.msgs, i, i+1)
	}
	return m.Outgoing
}

func (b *box) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.msgs)
}

// dlq is a dead-letter queue over a box: what it hands out stays until deleted.
type dlq struct{ *box }

func (q dlq) Receive(_ context.Context, limit int, _ time.Duration) (out []worker.Message, err error) {
	err = q.call(func() error {
		q.mu.Lock()
		defer q.mu.Unlock()
		for i := range q.msgs[:min(limit, len(q.msgs))] {
			out = append(out, worker.Message{ID: q.msgs[i].id, Receipt: q.msgs[i].id, Body: q.msgs[i].Body, Group: q.msgs[i].Group, Receives: 1})
		}
		return nil
	})
	return out, err
}

func (q dlq) Delete(_ context.Context, msgs []worker.Message) error {
	return q.call(func() error {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.msgs = slices.DeleteFunc(q.msgs, func(o boxed) bool {
			return slices.ContainsFunc(msgs, func(m worker.Message) bool { return m.Receipt == o.id })
		})
		return nil
	})
}

func (q dlq) Extend(context.Context, []worker.Message, time.Duration) error { return nil }
