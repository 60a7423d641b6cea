package deliver

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/deliver/brake"
	"github.com/belfry-push/belfry/internal/deliver/pace"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
)

// gate is where a window's senders take rows, one at a time and in order. The sender
// that has the gate waits for the batch's pace, then for leave to ask FCM, then for a
// durable reservation. A row that waits for the first two is not reserved, and so not
// flagged if the process dies.
type gate struct {
	turn    chan struct{} // holds a token while nobody has the gate
	running atomic.Int32  // senders that have not ended

	// These belong to the sender that has the gate.
	size    int // most senders
	started int
	shut    bool // a row got no leave: nothing more passes in this turn
	firsts  bool // a retry got none: only first attempts pass
	permits *pace.Permits
}

func newGate(size int, p *pace.Permits) *gate {
	g := &gate{turn: make(chan struct{}, 1), size: size, permits: p}
	g.turn <- struct{}{}
	return g
}

// work is one sender: it takes rows until none is left or the window is halted.
// asking ends when the window is halted, ctx when the process is told to end.
func (w *window) work(ctx, asking context.Context) {
	defer func() {
		if w.gate.running.Add(-1) == 0 {
			close(w.results)
		}
	}()
	for {
		place, ticket, ok := w.next(ctx, asking)
		if !ok {
			return
		}
		r := w.q.ask(ctx, w.j, w.order[place], ticket)
		r.place = place
		w.results <- r
	}
}

// next takes the next row as soon as it may be sent. There are as many senders as
// rows under way: a sender that takes a row starts the next sender.
func (w *window) next(ctx, asking context.Context) (place int, ticket guard.Ticket, ok bool) {
	<-w.gate.turn // whoever has it gives it back when asking ends, and admitted looks whether it has
	defer func() { w.gate.turn <- struct{}{} }()
	if place, ticket, ok = w.admitted(asking); !ok {
		return 0, ticket, false
	}
	if !w.cover(asking, place) {
		ticket.Abandon()
		w.j.brake.Leave(w.to(place))
		return 0, ticket, false
	}
	w.gate.permits.Used()
	if place+1 < len(w.order) && w.gate.started+1 < w.gate.size {
		w.gate.started++
		w.gate.running.Add(1)
		go w.work(ctx, asking)
	}
	return place, ticket, true
}

// admitted waits for the batch's pace and for leave to ask FCM. A row without leave
// shuts the gate. A retry without leave is skipped instead, because a first attempt
// must not wait for one that failed.
func (w *window) admitted(asking context.Context) (place int, ticket guard.Ticket, ok bool) {
	for place = w.issued(); place < len(w.order) && !w.gate.shut && asking.Err() == nil; place = w.issued() {
		row := w.order[place]
		again := w.j.chunk.AttemptOf(row) > 1 && w.j.places.isolation == nil
		if again && w.gate.firsts || w.j.held(row) {
			w.skip(result{row: row, place: place})
			continue
		}
		if !w.seat(asking, place) {
			continue
		}
		r := result{row: row}
		if r.deferred, ok = w.gate.permits.Wait(asking); ok {
			if ticket, r, ok = w.q.admit(asking, w.j, row, nil); ok {
				return place, ticket, true
			}
			w.j.brake.Leave(w.to(place))
			if again && r.deferred > 0 {
				w.gate.firsts = true
				r.place = place
				w.skip(r)
				continue
			}
		} else {
			w.j.brake.Leave(w.to(place))
		}
		w.gate.shut = true
		w.refused <- r
	}
	return 0, ticket, false
}

// seat takes a seat with the brake for the row at a place. Without a free one it waits
// until there may be one, and returns false: the row has to be looked at again, as it
// may be held by then.
func (w *window) seat(asking context.Context, place int) bool {
	n := w.j.head.notification()
	ok, freed := w.j.brake.Enter(&n.Progress, w.to(place), w.q.brake, w.q.elapsed())
	if ok {
		return true
	}
	again := time.NewTimer(brake.SeatFor)
	defer again.Stop()
	select {
	case <-again.C:
	case <-freed:
	case <-asking.Done():
	}
	return false
}

// to returns the recipient of the row at a place.
func (w *window) to(place int) *push.Recipient { return &w.j.chunk.Recipients[w.order[place]] }

// skip passes over a row: it goes back to the queue as it is.
func (w *window) skip(r result) {
	w.mu.Lock()
	w.left++
	w.skipped++
	w.mu.Unlock()
	r.skipped = true
	w.results <- r
}

// cover waits until a stored reservation covers the row at a place, and the line is
// known to be still this claim's.
func (w *window) cover(asking context.Context, place int) bool {
	for {
		select {
		case <-w.renewed: // an old one
		default:
		}
		if w.pass(place) {
			return true
		}
		select {
		case w.wanted <- struct{}{}:
		default:
		}
		select {
		case <-w.renewed:
		case <-asking.Done():
			return false
		}
	}
}

// pass counts the row at a place as sent if it may be sent.
func (w *window) pass(place int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.q.moment()
	if place >= w.covered || !w.j.lease.HeldAt(now) {
		return false
	}
	w.left, w.leftAt = place+1, now.Elapsed
	return true
}
