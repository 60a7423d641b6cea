package workertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// usualVisibility is the visibility timeout of a Memory that says none.
const usualVisibility = 30 * time.Second

// Memory is a queue in a list that it looks through every time: the contract of
// [worker.Queue] in its shortest form, which passes the suite. It lives by the
// time of the process, in a synctest bubble by the bubble's. The zero value is
// ready; safe for concurrent use. Faults are laid around it, by [Around].
type Memory struct {
	Visibility  time.Duration // of a received message; 0 is 30 s
	MaxReceives int           // a message received more often goes to DeadLetters; 0: never
	DeadLetters *Memory       // needed with MaxReceives
	// Now is the clock; nil: the time of the process. A test whose own clock stands
	// still sees delays to the nanosecond; a long poll then waits for a message alone.
	Now func() time.Time

	mu      sync.Mutex
	held    []*held // in the order of arrival
	made    int     // messages so far
	turns   map[string]int
	turn    int
	changed chan struct{} // closed when a message may have become visible
}

func (m *Memory) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// held is a message in the queue.
type held struct {
	worker.Message

	visible  time.Time // from when on
	received time.Time // last
	delayed  bool      // not received since it was sent with a delay
}

var (
	_ worker.Queue = (*Memory)(nil)
	_ worker.Gauge = (*Memory)(nil)
)

// Put lays messages into the queue, past all checks.
func (m *Memory) Put(msgs ...worker.Outgoing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(msgs)
}

func (m *Memory) put(msgs []worker.Outgoing) {
	now := m.now()
	for _, o := range msgs {
		m.add(&held{
			Message: worker.Message{Body: slices.Clone(o.Body), Group: o.Group, SentAt: now},
			visible: now.Add(o.Delay), delayed: o.Delay > 0,
		})
	}
}

// PutMessage lays a message into the queue as it is: with its id, unless that is
// empty, and with the receives that it says it had, to which the next is added.
func (m *Memory) PutMessage(msg worker.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(&held{Message: msg, visible: m.now()})
}

// add adds a message; the caller holds the lock.
func (m *Memory) add(h *held) {
	m.made++
	h.ID, h.Receipt = cmp.Or(h.ID, "m"+strconv.Itoa(m.made)), ""
	m.held = append(m.held, h)
	m.wake()
}

func (m *Memory) wake() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// All returns the messages in the order of arrival, received and delayed ones
// included, with what is left of a delay.
func (m *Memory) All() []worker.Outgoing {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]worker.Outgoing, len(m.held))
	for i, h := range m.held {
		out[i] = h.outgoing(m.now())
	}
	return out
}

func (h *held) outgoing(now time.Time) worker.Outgoing {
	o := worker.Outgoing{Body: h.Body, Group: h.Group}
	if h.delayed {
		o.Delay = max(0, h.visible.Sub(now))
	}
	return o
}

// Peek returns the i-th of [Memory.All] and leaves it there.
func (m *Memory) Peek(i int) worker.Outgoing { return m.All()[i] }

// Take removes the i-th of [Memory.All] and returns it.
func (m *Memory) Take(i int) worker.Outgoing {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.held[i].outgoing(m.now())
	m.held = slices.Delete(m.held, i, i+1)
	return o
}

// TakeAll removes all messages and returns them.
func (m *Memory) TakeAll() []worker.Outgoing {
	all := m.All()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = m.held[len(all):]
	return all
}

// Len returns how many messages there are, received and delayed ones included.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.held)
}

// Sent returns how many messages ever came.
func (m *Memory) Sent() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.made
}

// Surface makes all messages visible now, as if delays and visibility timeouts had
// passed; for tests without a bubble.
func (m *Memory) Surface() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.held {
		h.visible = m.now()
	}
	m.wake()
}

// Send implements [worker.Sink].
func (m *Memory) Send(ctx context.Context, msgs []worker.Outgoing) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	failed, err := worker.CheckOutgoing(msgs)
	if err != nil {
		return err
	}
	var good []worker.Outgoing
	for i, o := range msgs {
		if failed[i] == nil {
			good = append(good, o)
		}
	}
	m.Put(good...)
	return worker.Partly(failed)
}

// Receive implements [worker.Queue].
func (m *Memory) Receive(ctx context.Context, limit int, wait time.Duration) ([]worker.Message, error) {
	if err := cmp.Or(ctx.Err(), worker.CheckReceive(limit, wait)); err != nil {
		return nil, err
	}
	until := m.now().Add(wait)
	for {
		got, changed, next := m.take(limit, until)
		if len(got) > 0 || !m.now().Before(until) {
			return got, nil
		}
		timer := time.NewTimer(next.Sub(m.now()))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// take takes what is visible. With nothing, it returns what tells of a change and
// when to look again, at the latest until.
func (m *Memory) take(limit int, until time.Time) (got []worker.Message, changed <-chan struct{}, next time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, next := m.now(), until
	m.redrive(now)
	for len(got) < limit {
		h := m.first(now)
		if h == nil {
			break
		}
		h.Receives++
		h.Receipt = fmt.Sprintf("%s.%d", h.ID, h.Receives)
		h.received, h.visible, h.delayed = now, now.Add(cmp.Or(m.Visibility, usualVisibility)), false
		m.turn++
		if m.turns == nil {
			m.turns = map[string]int{}
		}
		m.turns[h.Group] = m.turn
		msg := h.Message
		msg.Body = slices.Clone(h.Body)
		got = append(got, msg)
	}
	for _, h := range m.held {
		if h.visible.Before(next) {
			next = h.visible
		}
	}
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return got, m.changed, next
}

// first returns the oldest visible message of the group whose turn was longest
// ago; nil if none is visible.
func (m *Memory) first(now time.Time) (best *held) {
	for _, h := range m.held {
		if !h.visible.After(now) && (best == nil || m.turns[h.Group] < m.turns[best.Group]) {
			best = h
		}
	}
	return best
}

// redrive moves what was received too often.
func (m *Memory) redrive(now time.Time) {
	if m.MaxReceives == 0 {
		return
	}
	m.held = slices.DeleteFunc(m.held, func(h *held) bool {
		if h.visible.After(now) || h.Receives < m.MaxReceives {
			return false
		}
		m.DeadLetters.PutMessage(h.Message)
		return true
	})
}

// find returns the message of a receipt, nil if that is not of its last receive.
func (m *Memory) find(receipt string) *held {
	i := slices.IndexFunc(m.held, func(h *held) bool { return h.Receipt == receipt && receipt != "" })
	if i < 0 {
		return nil
	}
	return m.held[i]
}

// Delete implements [worker.Queue].
func (m *Memory) Delete(ctx context.Context, msgs []worker.Message) error {
	if err := cmp.Or(ctx.Err(), worker.CheckBatch(len(msgs))); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range msgs {
		if h := m.find(msgs[i].Receipt); h != nil {
			m.held = slices.DeleteFunc(m.held, func(o *held) bool { return o == h })
		}
	}
	return nil
}

// Extend implements [worker.Queue].
func (m *Memory) Extend(ctx context.Context, msgs []worker.Message, visibility time.Duration) error {
	if err := cmp.Or(ctx.Err(), worker.CheckBatch(len(msgs)), worker.CheckVisibility(visibility)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	failed, visible := map[int]error{}, m.now().Add(visibility)
	for i := range msgs {
		switch h := m.find(msgs[i].Receipt); {
		case h == nil:
			failed[i] = push.ErrNotFound
		case visible.Sub(h.received) > worker.MaxVisibility:
			failed[i] = errors.New("visibility: must be at most 12 hours in total")
		default:
			h.visible = visible
		}
	}
	m.wake()
	return worker.Partly(failed)
}

// Depth implements [worker.Gauge].
func (m *Memory) Depth(ctx context.Context) (d worker.Depth, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, h := range m.held {
		switch {
		case !h.visible.After(now):
			d.Visible++
			d.OldestAge = max(d.OldestAge, now.Sub(h.SentAt))
		case h.delayed:
			d.Delayed++
		default:
			d.InFlight++
		}
	}
	return d, ctx.Err()
}
