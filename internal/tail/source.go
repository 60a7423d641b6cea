package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

const (
	// mostHeld bounds the events that a process holds for its listeners: some 2 MB.
	mostHeld = 2048
	// mostFlushed and mostBytes bound what a process writes for those of others in a second; what is over is missing there.
	mostFlushed = 500
	mostBytes   = 200 << 10
	// slots is how many parts of a source are kept, each in a document of its own. A busy process overwrites them in half a
	// minute.
	slots = 32
	// flushEvery is how often a process writes what is new.
	flushEvery = time.Second
	// lookEvery is how many flushes apart it looks whether anybody listens.
	lookEvery = 2
	// headEvery is how often a source that has nothing to tell says that it is there, and forgetAfter when it counts as gone.
	headEvery   = time.Minute
	forgetAfter = 5 * time.Minute
	// storePatience bounds a call to the store.
	storePatience = 2 * time.Second
)

// The kinds of document.
const (
	kindListening = "tail-listening" // who listens, until when
	kindHead      = "tail-head"      // one a source: what it has
	kindPart      = "tail-part"      // events of a source
)

const nameListening = "all"

// Source takes the events of a process. Safe for concurrent use; Publish never waits.
type Source struct {
	id   string // in positions
	docs document.Store
	log  *zap.Logger
	now  func() time.Time

	on   atomic.Bool   // somebody listens
	wake chan struct{} // something is new, for the hub of this process

	mu     sync.Mutex
	here   string // id of this process's hub while that listens, or shortly before
	others bool   // hubs of other processes listen
	fresh  int64  // number of the first event since somebody listens
	last   int64  // number of the newest event
	ring   []wire.Event

	// The rest belongs to Begin, Run and End.
	brief    bool  // it is there for one piece of work, and says nothing of itself unless it has something to tell
	stored   int64 // number of the last event that is in the store, or was left out there
	from     int64 // number of the first event for the store since hubs of others listen
	written  int64 // parts
	headOf   int64 // from, as it was when the head was written last
	headAt   time.Time
	parts    []partRef
	versions map[string]int64
	failing  bool
}

// NewSource returns the source of this process.
func NewSource(docs document.Store, log *zap.Logger, now func() time.Time) *Source {
	const base = 36
	return &Source{
		id: strconv.FormatUint(uint64(rand.Uint32()), base), docs: docs, log: log, now: now, //nolint:gosec // a name, not a secret
		wake: make(chan struct{}, 1), fresh: 1, versions: map[string]int64{},
	}
}

// Listening reports whether anybody listens: what is made for Publish alone need not be made otherwise.
func (s *Source) Listening() bool { return s.on.Load() }

// Publish implements outcome.Publisher. It never fails.
func (s *Source) Publish(_ context.Context, events []wire.Event) error {
	s.hold(events)
	return nil
}

// hold numbers events and keeps the newest of them, while anybody listens.
func (s *Source) hold(events []wire.Event) {
	if !s.on.Load() || len(events) == 0 {
		return
	}
	s.mu.Lock()
	for i := range events {
		if s.ring == nil {
			break // nobody listens any more
		}
		s.last++
		s.ring[s.last%mostHeld] = events[i]
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Tell makes an event and publishes it; it does nothing while nobody listens.
func (s *Source) Tell(subject, traceParent string, data wire.Data) {
	if !s.Listening() {
		return
	}
	e, err := wire.NewEvent("belfry", subject, traceParent, s.now(), data)
	if err != nil {
		s.log.Warn("event not encoded", zap.String("type", data.EventType()), zap.Error(err))
		return
	}
	s.hold([]wire.Event{e})
}

// numbered is an event with its number.
type numbered struct {
	seq int64
	e   wire.Event
}

// since returns what is held behind a number, the number of the first event since somebody
// listens, and the newest number.
func (s *Source) since(seq int64) (held []numbered, fresh, last int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring == nil {
		return nil, s.fresh, s.last
	}
	for i := max(seq+1, s.fresh, s.last-mostHeld+1); i <= s.last; i++ {
		held = append(held, numbered{i, s.ring[i%mostHeld]})
	}
	return held, s.fresh, s.last
}

// listen says which hub of this process listens, "" for none.
func (s *Source) listen(hub string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.here = hub
	s.turn()
}

// turn begins to hold events, or stops. What happens while nobody listens has no number, but leaves a hole of one, by which
// whoever comes back sees that something may be missing.
func (s *Source) turn() {
	on := s.here != "" || s.others
	switch {
	case on && s.ring == nil:
		s.ring = make([]wire.Event, mostHeld)
		if s.last > 0 {
			s.last++
		}
		s.fresh = s.last + 1
	case !on:
		s.ring = nil
	}
	s.on.Store(on)
}

// listening is the document that says who listens: hubs by id, until when.
type listening struct {
	Hubs map[string]time.Time `json:"hubs"`
}

// partRef is a part that a source has in the store.
type partRef struct {
	Slot  int64 `json:"slot"`
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// head says what a source has in the store.
type head struct {
	From  int64     `json:"from"` // nothing was left out from here on, unless numbers are missing
	Last  int64     `json:"last"`
	Parts []partRef `json:"parts"`
}

// part are events with their numbers.
type part struct {
	Numbers []int64           `json:"numbers"`
	Events  []json.RawMessage `json:"events"`
}

func partName(source string, slot int64) string { return fmt.Sprintf("%s-%02d", source, slot) }

// Begin finds out whether anybody listens, before Run, in a process that is there for one piece of work: what it tells then
// is followed from the first event on. What fails is left to Run.
func (s *Source) Begin(ctx context.Context) {
	s.brief = true
	s.note(ctx, s.step(ctx, true))
}

// End writes what is left, while other processes listen. Run does so by itself when its ctx ends.
func (s *Source) End(ctx context.Context) { s.note(ctx, s.step(context.WithoutCancel(ctx), false)) }

// Run writes what is new while other processes listen, until ctx ends, and then what is left.
func (s *Source) Run(ctx context.Context) {
	defer s.End(ctx)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		s.note(ctx, s.step(ctx, n%lookEvery == 0))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// note logs when what is new can no longer be written, and when it can again.
func (s *Source) note(ctx context.Context, err error) {
	failing := err != nil
	if failing == s.failing || failing && errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return
	}
	s.failing = failing
	if failing {
		s.log.Warn("what happens cannot be followed from other processes", zap.Error(err))
	} else {
		s.log.Info("what happens can be followed from other processes again")
	}
}

func (s *Source) step(ctx context.Context, look bool) error {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	if look {
		if err := s.look(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	others := s.others
	s.mu.Unlock()
	if !others {
		return nil
	}
	return s.flush(ctx)
}

// look finds out who listens. While the store is away, it is as before.
func (s *Source) look(ctx context.Context) error {
	var l listening
	if _, err := document.Load(ctx, s.docs, kindListening, nameListening, &l); err != nil && !errors.Is(err, push.ErrNotFound) {
		return fmt.Errorf("look who listens: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.others
	s.others = false
	for id, until := range l.Hubs {
		if id != s.here && until.After(s.now()) {
			s.others = true
		}
	}
	s.turn()
	if s.others && !was {
		s.stored, s.from = s.last, s.last+1 // what came before was for this process's own listeners
	}
	return nil
}

// flush writes what is new, as a part, and then the head that names it. The head says, too, that the process is there, and
// from which number on it left nothing out.
func (s *Source) flush(ctx context.Context) error {
	held, _, last := s.since(s.stored)
	announced := s.headOf == s.from && s.now().Sub(s.headAt) < headEvery
	if len(held) == 0 && (announced || s.brief && s.written == 0) {
		return nil
	}
	var body part
	size := 0
	for i := len(held) - 1; i >= 0 && len(body.Events) < mostFlushed; i-- { // the newest, as many as there is room for
		e, err := encodeSieved(&held[i].e)
		if err != nil {
			s.log.Warn("event not encoded", zap.String("type", held[i].e.Type), zap.Error(err))
			continue
		}
		if size += len(e); size > mostBytes {
			break
		}
		body.Numbers, body.Events = append(body.Numbers, held[i].seq), append(body.Events, e)
	}
	if n := len(body.Numbers); n > 0 {
		slices.Reverse(body.Numbers)
		slices.Reverse(body.Events)
		slot := s.written % slots
		if err := s.put(ctx, kindPart, partName(s.id, slot), &body); err != nil {
			return err
		}
		s.written++
		s.parts = append(s.parts, partRef{Slot: slot, First: body.Numbers[0], Last: body.Numbers[n-1]})
		s.parts = s.parts[max(0, len(s.parts)-slots):]
	}
	s.stored = max(s.stored, last)
	if err := s.put(ctx, kindHead, s.id, &head{From: s.from, Last: s.stored, Parts: s.parts}); err != nil {
		s.headOf = 0 // it is written anew
		return err
	}
	s.headOf, s.headAt = s.from, s.now()
	return nil
}

// put writes a document of which this process is the only writer. What is not as this process remembers it, because an
// answer was lost or somebody has removed it, is written behind what is there.
func (s *Source) put(ctx context.Context, kind, name string, v any) error {
	key := kind + "/" + name
	err := document.Save(ctx, s.docs, kind, name, s.versions[key]+1, v, s.now())
	if err == nil {
		s.versions[key]++
		return nil
	}
	switch d, lookup := s.docs.Document(ctx, kind, name); {
	case lookup == nil:
		s.versions[key] = d.Version
	case errors.Is(lookup, push.ErrNotFound):
		s.versions[key] = 0
	}
	if !errors.Is(err, push.ErrConflict) {
		return err
	}
	if err = document.Save(ctx, s.docs, kind, name, s.versions[key]+1, v, s.now()); err == nil {
		s.versions[key]++
	}
	return err
}
