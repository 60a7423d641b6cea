package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// kindBreaker is the kind of document that tells of a credential's breaker.
const kindBreaker = "breaker"

// How long a note of a breaker that is not closed is believed, and how often it is
// renewed by a dispatcher that lives.
const (
	noteBelieved = 2 * time.Minute
	noteEvery    = 30 * time.Second
)

// breakers stores the states of the dispatchers' breakers for predictions, which
// may run in another process. Each credential has one document, which holds the
// latest change of any dispatcher, since all of them see the same provider. The note
// of a dispatcher that died counts for two minutes. Safe for concurrent use.
type breakers struct {
	docs document.Store
	log  *zap.Logger
	now  func() time.Time
	mu   sync.Mutex // changes of one process are written one by one
}

// breakerNote is what was written down last.
type breakerNote struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
	Since time.Time `json:"since,omitzero"` // it holds sends back; zero if it is closed
	Until time.Time `json:"until,omitzero"` // before it nothing probes
	Cause push.Code `json:"cause,omitzero"` // the answer that opened it
	// What else holds sends back.
	PausedUntil time.Time `json:"paused_until,omitzero"` // FCM's quota
	Throttled   bool      `json:"throttled,omitempty"`   // FCM fails most
}

// holds reports whether the note says that something holds sends back.
func (n *breakerNote) holds() bool {
	return !n.Since.IsZero() || !n.PausedUntil.IsZero() || n.Throttled
}

// waiting returns what the note lets notifications wait for at a time, nil for nothing.
func (n *breakerNote) waiting(now time.Time) *report.Waiting {
	// A breaker that nobody asks stays open when its time is over: nothing waits for it.
	const asked = 15 * time.Second
	switch {
	case now.Sub(n.At) >= noteBelieved:
	case n.State == guard.BreakerOpen.String() && now.Before(n.Until):
		return &report.Waiting{Reason: report.WaitBreaker, Until: n.Until, Code: n.Cause}
	case n.State == guard.BreakerHalfOpen.String(), n.State == guard.BreakerOpen.String() && now.Before(n.Until.Add(asked)):
		return &report.Waiting{Reason: report.WaitBreaker, Code: n.Cause}
	case n.PausedUntil.After(now):
		return &report.Waiting{Reason: report.WaitQuota, Until: n.PausedUntil, Code: push.CodeFCMQuotaExceeded}
	case n.Throttled:
		return &report.Waiting{Reason: report.WaitSick}
	}
	return nil
}

// note stores the state of a breaker unless a later one is stored. Only predictions
// read it, so a failure is logged, and the next note makes up for it.
func (b *breakers) note(ctx context.Context, credential string, n breakerNote) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const patience, tries = 5 * time.Second, 4
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := push.ErrConflict
	for try := 0; try < tries && errors.Is(err, push.ErrConflict); try++ {
		err = b.replace(ctx, credential, n)
	}
	if err != nil {
		b.log.Warn("breaker not noted; simulations may not tell of it", zap.String("credential", credential), zap.Error(err))
	}
}

func (b *breakers) replace(ctx context.Context, credential string, n breakerNote) error {
	stored, err := b.docs.Document(ctx, kindBreaker, credential)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return err
	}
	var last breakerNote
	if err == nil && json.Unmarshal(stored.Body, &last) == nil && last.At.After(n.At) {
		return nil
	}
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write the note: %w", err)
	}
	return b.docs.PutDocument(ctx, document.Document{
		Kind: kindBreaker, Name: credential, Version: stored.Version + 1, Body: body, UpdatedAt: n.At.UTC(),
	})
}

// all returns the notes of all credentials.
func (b *breakers) all(ctx context.Context) ([]breakerNote, error) {
	const most = 100 // credentials ever used
	docs, _, err := b.docs.Documents(ctx, kindBreaker, "", most)
	if err != nil {
		return nil, fmt.Errorf("list breakers: %w", err)
	}
	notes := make([]breakerNote, len(docs))
	for i := range docs {
		if err := json.Unmarshal(docs[i].Body, &notes[i]); err != nil {
			return nil, fmt.Errorf("breaker of %s: %w", docs[i].Name, err)
		}
	}
	return notes, nil
}

// Holding implements report.Flow. An installation has one app, so any credential of it
// counts.
func (b *breakers) Holding(ctx context.Context) (*report.Waiting, error) {
	notes, err := b.all(ctx)
	for i := range notes {
		if w := notes[i].waiting(b.now()); w != nil {
			return w, nil
		}
	}
	return nil, err
}

// OpenSince implements predict.Breakers. An installation has one app, so any
// credential of it counts.
func (b *breakers) OpenSince(ctx context.Context, _ string) (time.Time, error) {
	notes, err := b.all(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var since time.Time
	for _, n := range notes {
		if !n.Since.IsZero() && b.now().Sub(n.At) < noteBelieved && (since.IsZero() || n.Since.Before(since)) {
			since = n.Since
		}
	}
	return since, nil
}

// changes publishes and notes the changes of the breakers, in their order. It does so
// on a goroutine of its own, since that may take a network call, and renews the note
// of a breaker that is still open.
type changes struct {
	notes   *breakers
	publish func(ctx context.Context, c guard.Change)
	now     func() time.Time

	mu    sync.Mutex
	queue []guard.Change
	ring  chan struct{} // holds one

	last map[string]breakerNote // by credential, as it was noted last; run's alone
}

func newChanges(notes *breakers, now func() time.Time, publish func(ctx context.Context, c guard.Change)) *changes {
	return &changes{notes: notes, publish: publish, now: now, ring: make(chan struct{}, 1), last: map[string]breakerNote{}}
}

// tell returns at once.
func (n *changes) tell(c guard.Change) {
	n.mu.Lock()
	n.queue = append(n.queue, c)
	n.mu.Unlock()
	select {
	case n.ring <- struct{}{}:
	default: // it rings already
	}
}

// breakerState is implemented by a guard. Calling State also closes a breaker whose
// time has come.
type breakerState interface{ State() guard.State }

// lookEvery is how often a guard is looked at for what it does not tell by itself, and so
// how often its note is written at most.
const lookEvery = 2 * time.Second

// run works until ctx ends, and then tells what is left.
func (n *changes) run(ctx context.Context, g breakerState) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			n.tellAll(context.WithoutCancel(ctx))
			return
		case <-n.ring:
			n.tellAll(ctx)
		case <-tick.C:
			n.look(ctx, g.State())
		}
	}
}

// look notes what holds sends back besides a change of the breaker, when it begins and when it
// ends: a breaker that stays open for longer tells of no change. Whatever still holds is noted
// every noteEvery.
func (n *changes) look(ctx context.Context, s guard.State) {
	now := n.now().UTC()
	if s.Credential != "" {
		next := n.last[s.Credential]
		next.PausedUntil, next.Throttled = time.Time{}, s.Traffic[guard.TrafficLive].Throttled
		if s.PausedUntil.After(now) {
			next.PausedUntil = s.PausedUntil.UTC().Truncate(time.Second)
		}
		if s.Breaker == guard.BreakerOpen && next.State == guard.BreakerOpen.String() {
			next.Until, next.Cause = s.Until.UTC(), s.Cause
		}
		if next != n.last[s.Credential] {
			n.note(ctx, s.Credential, next, now)
		}
	}
	for credential, last := range n.last {
		if last.holds() && now.Sub(last.At) >= noteEvery {
			n.note(ctx, credential, last, now)
		}
	}
}

// note writes a note down as of a time.
func (n *changes) note(ctx context.Context, credential string, note breakerNote, at time.Time) {
	if last := n.last[credential].At; !at.After(last) {
		at = last.Add(time.Microsecond) // a change that is told late is not older than what was noted since
	}
	note.At = at
	n.last[credential] = note
	n.notes.note(ctx, credential, note)
}

func (n *changes) tellAll(ctx context.Context) {
	n.mu.Lock()
	queue := n.queue
	n.queue = nil
	n.mu.Unlock()
	for _, c := range queue {
		note := n.last[c.Credential]
		note.State, note.Until = c.To.String(), c.Until.UTC()
		switch {
		case c.To == guard.BreakerClosed:
			note.Since, note.Cause = time.Time{}, push.CodeOpen
		case c.From == guard.BreakerClosed:
			note.Since = c.At.UTC()
		}
		if c.To == guard.BreakerOpen {
			note.Cause = c.Cause
		}
		n.note(ctx, c.Credential, note, c.At.UTC())
		n.publish(ctx, c)
	}
}
