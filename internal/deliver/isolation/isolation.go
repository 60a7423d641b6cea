// Package isolation lets one chunk of a process at a time be sent to in groups of
// suspects, recipients that may kill the process (docs/adr/0004). The chunks that were
// in hand beside a poisonous one come back as suspected as it is: they are cleared one
// after the other, and the poisonous one is alone when it kills again. For a trial of a
// single recipient the package also keeps all other chunks out, so that a death then
// says something about that recipient.
//
// It knows no chunk and sends nothing: it only makes its callers wait.
package isolation

import (
	"context"
	"sync"
	"time"
)

// Isolation is the place of one process. It serves all lanes.
type Isolation struct {
	place chan struct{}

	mu     sync.Mutex
	inHand int           // chunks between their claim and the end of their turn
	shut   chan struct{} // while others are kept out; closed when they are let in
	idle   chan struct{} // closed when the last chunk in hand ends, nil if nobody waits
}

// New returns an isolation whose place is free.
func New() *Isolation { return &Isolation{place: make(chan struct{}, 1)} }

// Enter waits for the place; false means that ctx ended or draining closed.
func (i *Isolation) Enter(ctx context.Context, draining <-chan struct{}) bool {
	select {
	case i.place <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-draining:
	}
	return false
}

// Leave gives the place back.
func (i *Isolation) Leave() { <-i.place }

// Begin counts a chunk that is about to be claimed, as soon as no trial keeps it
// out; false means that ctx ended or draining closed. A chunk whose own trial it is
// does not wait.
func (i *Isolation) Begin(ctx context.Context, draining <-chan struct{}, own bool) bool {
	for {
		i.mu.Lock()
		shut := i.shut
		if shut == nil || own {
			i.inHand++
			i.mu.Unlock()
			return true
		}
		i.mu.Unlock()
		select {
		case <-shut:
		case <-ctx.Done():
			return false
		case <-draining:
			return false
		}
	}
}

// End uncounts a chunk that Begin counted.
func (i *Isolation) End() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.inHand--; i.inHand == 0 && i.idle != nil {
		close(i.idle)
		i.idle = nil
	}
}

// Quiet keeps other chunks out, and waits until those in hand have ended, which may
// take a turn. If they have not within patience, it lets the others in again. Only
// the holder of the place may call it.
func (i *Isolation) Quiet(ctx context.Context, draining <-chan struct{}, patience time.Duration) bool {
	i.mu.Lock()
	i.shut = make(chan struct{})
	if i.inHand == 0 {
		i.mu.Unlock()
		return true
	}
	idle := make(chan struct{})
	i.idle = idle
	i.mu.Unlock()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-idle:
		return true
	case <-t.C:
	case <-ctx.Done():
	case <-draining:
	}
	i.Open()
	return false
}

// Open lets others in again.
func (i *Isolation) Open() {
	i.mu.Lock()
	defer i.mu.Unlock()
	close(i.shut)
	i.shut, i.idle = nil, nil
}
