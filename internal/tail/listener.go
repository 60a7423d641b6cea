package tail

import (
	"context"
	"sync"
)

// mostQueued bounds what waits for a listener that does not read.
const mostQueued = 1024

// Item is an event, or says that some are missing.
type Item struct {
	Position string // to go on from behind it
	Kind     Kind
	Body     []byte // CloudEvent in JSON; shared, never changed

	Gap  bool
	Lost int64 // of a gap: how many, -1 if that is not known, or not the listener's to know
}

// Listener is somebody who follows what happens. It belongs to one goroutine.
type Listener struct {
	hub    *Hub
	filter Filter
	sight  Sight
	after  position // it has what is up to here

	changed chan struct{} // there is something to take

	mu      sync.Mutex
	queue   []*frame
	dropped int64 // frames that the queue had no room for
	err     error
	pos     string
}

// Listen begins to follow what happens, from a position, or from now on. It waits until the window is there, for as long as
// ctx lasts. Errors are [ErrStopped] and [ErrCrowded]. The caller must Close the listener.
func (h *Hub) Listen(ctx context.Context, sight Sight, f Filter, from string) (*Listener, error) {
	l := &Listener{hub: h, filter: f, sight: sight, changed: make(chan struct{}, 1)}
	for {
		warm, err := h.warming()
		if err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-warm:
		}
		if done, err := h.join(l, from); done || err != nil {
			return l, err
		}
	}
}

// warming has the hub begin, and returns a channel that is closed once the window is there.
func (h *Hub) warming() (<-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped:
		return nil, ErrStopped
	case len(h.listeners) >= mostListeners:
		return nil, ErrCrowded
	}
	if h.warm == nil {
		h.warm, h.origins, h.at = make(chan struct{}), map[string]*origin{}, position{}
		h.begin <- struct{}{} // there is room: nothing runs
	}
	h.alone = h.now()
	return h.warm, nil
}

// join adds a listener to a hub that is warm, with what it has missed.
func (h *Hub) join(l *Listener, from string) (done bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped:
		return false, ErrStopped
	case len(h.listeners) >= mostListeners:
		return false, ErrCrowded
	case !h.ready:
		return false, nil // it has ended meanwhile
	}
	l.pos = h.at.String()
	if after, ok := parsePosition(from); ok {
		l.after = after
		if lost := h.missed(after); lost != 0 {
			l.offer(&frame{gap: true, lost: lost, pos: from})
		}
		for _, f := range h.window {
			l.offer(f)
		}
	} else if from != "" {
		l.offer(&frame{gap: true, lost: unknown, pos: l.pos})
	}
	h.listeners[l] = struct{}{}
	return true, nil
}

// missed says how many events behind a position are no longer in the window.
func (h *Hub) missed(after position) (lost int64) {
	for name := range after {
		if h.origins[name] == nil {
			return unknown
		}
	}
	for name, o := range h.origins {
		read, ok := after[name]
		switch {
		case !ok, read+1 >= o.first:
		case read+1 < o.fresh && o.fresh <= o.first:
			return unknown
		default:
			lost += o.first - read - 1
		}
	}
	return lost
}

// offer gives a frame to the listener, if it is for it.
func (l *Listener) offer(f *frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if read, ok := l.after[f.source]; ok && f.seq <= read {
		return
	}
	l.pos = f.pos
	if !f.gap && (!l.sight.sees(f.kind, &f.about) || !l.filter.takes(f.kind, &f.about)) {
		return
	}
	if len(l.queue) == mostQueued {
		l.dropped++
		l.queue = l.queue[1:]
	}
	l.queue = append(l.queue, f)
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *Listener) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Changed returns a channel that has something when Take has.
func (l *Listener) Changed() <-chan struct{} { return l.changed }

// Take returns what has come since it was called last, the oldest first, and the position behind it, which moves on with what
// is not for the listener, too. After an error nothing comes any more.
func (l *Listener) Take() (items []Item, pos string, err error) {
	l.mu.Lock()
	queue, dropped := l.queue, l.dropped
	l.queue, l.dropped = nil, 0
	pos, err = l.pos, l.err
	l.mu.Unlock()
	if dropped > 0 {
		items = append(items, Item{Gap: true, Lost: dropped, Position: ""})
	}
	for _, f := range queue {
		it := Item{Position: f.pos, Kind: f.kind, Body: f.body, Gap: f.gap, Lost: f.lost}
		if f.gap && !l.sight.All {
			it.Lost = unknown // others' events are among them
		}
		items = append(items, it)
	}
	return items, pos, err
}

// Close ends it.
func (l *Listener) Close() {
	h := l.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.listeners, l)
	h.alone = h.now()
}
