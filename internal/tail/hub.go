package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// The errors of [Hub.Listen].
var (
	// ErrStopped says that the process is shutting down: listening elsewhere, or again a little later, goes on.
	ErrStopped = errors.New("following has stopped")
	// ErrCrowded says that there are as many listeners as a process takes.
	ErrCrowded = errors.New("too many follow what happens")
)

const (
	// mostListeners bounds the listeners of a process.
	mostListeners = 200
	// mostWindow bounds the events that a hub keeps for whoever comes back: some 4 MB.
	mostWindow = 4096
	// linger is how long a hub goes on without a listener, so that whoever lost the connection misses nothing.
	linger = 2 * time.Minute
	// pollEvery is how often a hub looks for what other processes tell.
	pollEvery = time.Second
	// renewEvery is how often a hub says that it listens, and leaseFor how long that is believed.
	renewEvery = 10 * time.Second
	leaseFor   = 40 * time.Second
)

// unknown is a number of events that nobody has counted.
const unknown = -1

// frame is an event, or a gap, as all listeners share it.
type frame struct {
	source string
	seq    int64
	pos    string // behind it

	kind  Kind
	about about
	body  []byte // CloudEvent

	gap  bool
	lost int64 // of a gap; unknown
}

// origin is what a hub knows of a source.
type origin struct {
	fresh int64 // before it there may be holes that nobody counted
	first int64 // number of the oldest in the window
	last  int64
	seen  time.Time // when its head was there last
}

// Hub serves the listeners of a process. Safe for concurrent use.
type Hub struct {
	id     string
	source *Source
	docs   document.Store
	log    *zap.Logger
	now    func() time.Time

	begin chan struct{} // somebody listens

	mu        sync.Mutex
	stopped   bool
	warm      chan struct{} // closed once the window has what the store had; nil while nothing runs
	ready     bool          // warm is closed
	listeners map[*Listener]struct{}
	alone     time.Time // since when there is no listener
	window    []*frame
	origins   map[string]*origin
	at        position
}

// NewHub returns a hub that listens to a process's own source, and to those of others through
// the documents.
func NewHub(source *Source, docs document.Store, log *zap.Logger, now func() time.Time) *Hub {
	return &Hub{
		id: "hub-" + source.id, source: source, docs: docs, log: log, now: now, begin: make(chan struct{}, 1),
		listeners: map[*Listener]struct{}{},
	}
}

// Run serves listeners until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.begin:
			h.serve(ctx)
		}
	}
}

// Stop ends all listeners with [ErrStopped], and takes no others.
func (h *Hub) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for l := range h.listeners {
		l.end(ErrStopped)
	}
	if h.warm != nil && !h.ready {
		close(h.warm)
		h.ready = true
	}
}

// serve reads for the listeners until there has been none for a while.
func (h *Hub) serve(ctx context.Context) {
	h.source.listen(h.id)
	held, fresh, last := h.source.since(0)
	first := last + 1
	if len(held) > 0 { // it told others before
		first = held[0].seq
	}
	h.mu.Lock()
	h.origins[h.source.id] = &origin{fresh: fresh, first: first, last: first - 1, seen: h.now()}
	h.at[h.source.id] = first - 1
	h.mu.Unlock()
	h.take()
	defer h.close(context.WithoutCancel(ctx))

	failing := h.note(false, h.poll(ctx, true))
	h.mu.Lock()
	if !h.ready {
		close(h.warm)
		h.ready = true
	}
	h.mu.Unlock()

	var remote sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer remote.Wait()
	defer cancel()
	remote.Go(func() {
		tick := time.NewTicker(pollEvery)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			failing = h.note(failing, h.poll(ctx, n%int(renewEvery/pollEvery) == 0))
			if h.idle() {
				cancel()
			}
		}
	})
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.source.wake:
			h.take()
		}
	}
}

// note logs when reading begins to fail, and when it works again.
func (h *Hub) note(failing bool, err error) bool {
	switch {
	case err != nil && !failing && !errors.Is(err, context.Canceled):
		h.log.Warn("what happens in other processes cannot be followed", zap.Error(err))
	case err == nil && failing:
		h.log.Info("what happens in other processes can be followed again")
	}
	return err != nil
}

// idle reports whether nobody has listened for a while.
func (h *Hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.listeners) == 0 && h.now().Sub(h.alone) >= linger
}

// close forgets the window. A listener who has come meanwhile begins anew.
func (h *Hub) close(ctx context.Context) {
	h.source.listen("")
	h.mu.Lock()
	h.window, h.origins, h.at, h.warm, h.ready = nil, nil, nil, nil, false
	for l := range h.listeners { // they connect again, and are told of a gap
		l.end(ErrStopped)
	}
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	_ = h.lease(ctx, false) // otherwise it ends by itself
}

// take feeds what the process's own source has.
func (h *Hub) take() {
	h.mu.Lock()
	defer h.mu.Unlock()
	held, fresh, _ := h.source.since(h.origins[h.source.id].last)
	for i := range held {
		body, err := encodeSieved(&held[i].e)
		if err != nil {
			h.log.Warn("event not encoded", zap.String("type", held[i].e.Type), zap.Error(err))
			continue
		}
		h.feed(h.source.id, fresh, held[i].seq, held[i].e.Type, held[i].e.Data, body)
	}
}

// poll reads what other processes tell. The listeners of this one are made known if it renews.
func (h *Hub) poll(ctx context.Context, renew bool) error {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	if renew {
		if err := h.lease(ctx, true); err != nil {
			return err
		}
	}
	const page = 1000
	for cursor := ""; ; {
		heads, next, err := h.docs.Documents(ctx, kindHead, cursor, page)
		if err != nil {
			return fmt.Errorf("look who tells: %w", err)
		}
		for i := range heads {
			if err := h.read(ctx, &heads[i]); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	h.forget()
	return nil
}

// lease says in the store that this hub listens, or no longer does.
func (h *Hub) lease(ctx context.Context, on bool) error {
	const tries = 10
	var err error
	for range tries {
		l := listening{}
		var version int64
		if version, err = document.Load(ctx, h.docs, kindListening, nameListening, &l); err != nil && !errors.Is(err, push.ErrNotFound) {
			return fmt.Errorf("say that somebody listens: %w", err)
		}
		now := h.now()
		maps.DeleteFunc(l.Hubs, func(_ string, until time.Time) bool { return !until.After(now) })
		if l.Hubs == nil {
			l.Hubs = map[string]time.Time{}
		}
		delete(l.Hubs, h.id)
		if on {
			l.Hubs[h.id] = now.Add(leaseFor).UTC()
		}
		if err = document.Save(ctx, h.docs, kindListening, nameListening, version+1, &l, now); !errors.Is(err, push.ErrConflict) {
			break
		}
	}
	return err
}

// read feeds what is new of a source.
func (h *Hub) read(ctx context.Context, d *document.Document) error {
	if d.Name == h.source.id {
		return nil
	}
	if h.now().Sub(d.UpdatedAt) > forgetAfter {
		return h.remove(ctx, d)
	}
	var about head
	if err := json.Unmarshal(d.Body, &about); err != nil {
		return nil
	}
	o := h.meet(d.Name, &about)
	for _, p := range about.Parts {
		if p.Last <= o.last {
			continue
		}
		var got part
		_, err := document.Load(ctx, h.docs, kindPart, partName(d.Name, p.Slot), &got)
		if err != nil && !errors.Is(err, push.ErrNotFound) {
			return fmt.Errorf("read what happened: %w", err)
		}
		h.mu.Lock()
		for i := range min(len(got.Numbers), len(got.Events)) {
			if e, err := wire.DecodeOutgoing(got.Events[i]); err == nil {
				h.feed(d.Name, about.From, got.Numbers[i], e.Type, e.Data, got.Events[i])
			}
		}
		h.mu.Unlock()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.last < about.Last { // left out by the source
		h.gap(d.Name, o, about.From, about.Last+1)
		o.last = about.Last
		h.at[d.Name] = o.last
	}
	return nil
}

// meet returns what is known of another process's source. Of one that comes while there are listeners everything is
// news; otherwise what it had is what whoever comes back may have missed.
func (h *Hub) meet(name string, about *head) *origin {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.origins[name]
	if o == nil {
		first := about.From
		if !h.ready {
			if first = about.Last + 1; len(about.Parts) > 0 {
				first = about.Parts[0].First
			}
		}
		o = &origin{fresh: about.From, first: first, last: first - 1}
		h.origins[name] = o
		h.at[name] = o.last
	}
	o.seen = h.now()
	return o
}

// feed takes an event into the window and gives it to the listeners. The caller holds the lock.
func (h *Hub) feed(source string, fresh, seq int64, eventType string, data, body []byte) {
	o := h.origins[source]
	if o == nil || seq <= o.last {
		return
	}
	h.gap(source, o, fresh, seq)
	o.last = seq
	h.at[source] = seq
	f := &frame{source: source, seq: seq, kind: kindOf(eventType), body: body}
	if f.kind == "" || json.Unmarshal(data, &f.about) != nil {
		return // of a newer version
	}
	h.add(f)
}

// gap tells of what is missing before a number.
func (h *Hub) gap(source string, o *origin, fresh, seq int64) {
	lost := seq - o.last - 1
	known := max(o.fresh, fresh)
	if o.last+1 < known && known <= seq {
		lost = unknown
	}
	o.fresh = known
	if lost == 0 {
		return
	}
	h.at[source] = seq - 1
	h.add(&frame{source: source, seq: seq - 1, gap: true, lost: lost})
}

func (h *Hub) add(f *frame) {
	f.pos = h.at.String()
	if len(h.window) == mostWindow {
		gone := h.window[0]
		if o := h.origins[gone.source]; o != nil {
			o.first = max(o.first, gone.seq+1)
		}
		copy(h.window, h.window[1:])
		h.window[len(h.window)-1] = f
	} else {
		h.window = append(h.window, f)
	}
	for l := range h.listeners {
		l.offer(f)
	}
}

// forget drops sources whose heads are gone.
func (h *Hub) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, o := range h.origins {
		if name != h.source.id && h.now().Sub(o.seen) > forgetAfter {
			delete(h.origins, name)
			delete(h.at, name)
		}
	}
}

// remove removes what a process has left behind that is gone.
func (h *Hub) remove(ctx context.Context, d *document.Document) error {
	for slot := range int64(slots) {
		got, err := h.docs.Document(ctx, kindPart, partName(d.Name, slot))
		if errors.Is(err, push.ErrNotFound) {
			break // a process writes them in order
		}
		if err == nil {
			err = h.docs.DeleteDocument(ctx, kindPart, got.Name, got.Version)
		}
		if err != nil && !errors.Is(err, push.ErrConflict) && !errors.Is(err, push.ErrNotFound) {
			return fmt.Errorf("remove what a process told: %w", err)
		}
	}
	err := h.docs.DeleteDocument(ctx, kindHead, d.Name, d.Version)
	if errors.Is(err, push.ErrConflict) || errors.Is(err, push.ErrNotFound) {
		return nil
	}
	return err
}
