package deliver

import (
	"context"
	"sync/atomic"

	"github.com/belfry-push/belfry/internal/guard"
)

// gate is where a window's senders take rows, one at a time and in order. Whoever
// holds it waits for the batch's pace, for leave to ask FCM, and for a durable
// reservation, in this order: what waits for its turn is not reserved, and so
// not flagged if the process dies.
type gate struct {
	turn    chan struct{} // holds a token while nobody has the gate
	running atomic.Int32  // senders that have not ended

	// Of whoever has it.
	size    int // most senders
	started int
	shut    bool // a row got no leave: nothing more passes in this turn
	permits *permits
}

func newGate(size int, p *permits) *gate {
	g := &gate{turn: make(chan struct{}, 1), size: size, permits: p}
	g.turn <- struct{}{}
	return g
}

// work is one sender: it takes rows until none is left, or the window is halted.
// asking ends at the halt, ctx with the process.
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
		r := w.d.ask(ctx, w.j, w.order[place], ticket)
		r.place = place
		w.results <- r
	}
}

// next takes the next row, when it may be sent. There are as many senders as
// rows under way: who takes one starts the next.
func (w *window) next(ctx, asking context.Context) (place int, ticket guard.Ticket, ok bool) {
	select {
	case <-w.gate.turn:
	case <-asking.Done():
		return 0, ticket, false
	}
	defer func() { w.gate.turn <- struct{}{} }()
	place = w.issued()
	if place >= len(w.order) || w.gate.shut || asking.Err() != nil {
		return 0, ticket, false
	}
	row := w.order[place]
	r := result{row: row}
	if r.deferred, ok = w.gate.permits.wait(asking); ok {
		ticket, r, ok = w.d.admit(asking, w.j, row)
	}
	if !ok {
		w.gate.shut = true
		w.refused <- r
		return 0, ticket, false
	}
	if !w.cover(asking, place) {
		ticket.Abandon()
		return 0, ticket, false
	}
	w.gate.permits.used()
	if place+1 < len(w.order) && w.gate.started+1 < w.gate.size {
		w.gate.started++
		w.gate.running.Add(1)
		go w.work(ctx, asking)
	}
	return place, ticket, true
}

// cover waits until the ledger knows that the row at a place may be sent, and
// that the line is still this claim's.
func (w *window) cover(asking context.Context, place int) bool {
	for {
		select {
		case <-w.renewed: // of before
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

// pass counts the row at a place as sent, if it may be.
func (w *window) pass(place int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if place >= w.covered || !w.d.holds(w.j) {
		return false
	}
	w.left, w.leftAt = place+1, w.d.Elapsed()
	return true
}
