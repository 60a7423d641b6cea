package breakers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/report"
)

// kindBreaker is the kind of document that tells of a credential's breaker.
const kindBreaker = "breaker"

// believed is how long a note of a breaker that is not closed is believed.
const believed = 2 * time.Minute

// Notes store the states of the dispatchers' breakers for predictions, which
// may run in another process. Each credential has one document, which holds the
// latest change of any dispatcher, since all of them see the same provider. The note
// of a dispatcher that died counts for two minutes. Safe for concurrent use.
type Notes struct {
	docs document.Store
	log  *zap.Logger
	now  func() time.Time
	mu   sync.Mutex // changes of one process are written one by one
}

// Predictions and reports read them.
var _ predict.Breakers = (*Notes)(nil)

// NewNotes returns the notes that docs hold.
func NewNotes(docs document.Store, log *zap.Logger, now func() time.Time) *Notes {
	return &Notes{docs: docs, log: log, now: now}
}

// entry is what was written down last.
type entry struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
	Since time.Time `json:"since,omitzero"` // it holds sends back; zero if it is closed
	Until time.Time `json:"until,omitzero"` // before it nothing probes
	Cause push.Code `json:"cause,omitzero"` // the answer that opened it
	// What else holds sends back.
	PausedUntil time.Time `json:"paused_until,omitzero"` // FCM's quota
	Throttled   bool      `json:"throttled,omitempty"`   // FCM fails most
}

// holds reports whether the entry says that something holds sends back.
func (n *entry) holds() bool {
	return !n.Since.IsZero() || !n.PausedUntil.IsZero() || n.Throttled
}

// waiting returns what the entry lets notifications wait for at a time, nil for nothing.
func (n *entry) waiting(now time.Time) *report.Waiting {
	// A breaker that nobody asks stays open when its time is over: nothing waits for it.
	const asked = 15 * time.Second
	switch {
	case now.Sub(n.At) >= believed:
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
func (b *Notes) note(ctx context.Context, credential string, n entry) {
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

func (b *Notes) replace(ctx context.Context, credential string, n entry) error {
	stored, err := b.docs.Document(ctx, kindBreaker, credential)
	if err != nil && !errors.Is(err, push.ErrNotFound) {
		return err
	}
	var last entry
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
func (b *Notes) all(ctx context.Context) ([]entry, error) {
	const most = 100 // credentials ever used
	docs, _, err := b.docs.Documents(ctx, kindBreaker, "", most)
	if err != nil {
		return nil, fmt.Errorf("list breakers: %w", err)
	}
	notes := make([]entry, len(docs))
	for i := range docs {
		if err := json.Unmarshal(docs[i].Body, &notes[i]); err != nil {
			return nil, fmt.Errorf("breaker of %s: %w", docs[i].Name, err)
		}
	}
	return notes, nil
}

// Holding returns what holds the requests with a credential back, by the label that it has as
// a guard; nil if nothing does.
func (b *Notes) Holding(ctx context.Context, credential string) (*report.Waiting, error) {
	var last entry
	_, err := document.Load(ctx, b.docs, kindBreaker, credential, &last)
	if errors.Is(err, push.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("breaker of %s: %w", credential, err)
	}
	return last.waiting(b.now()), nil
}

// Flow tells reports what holds an app's requests back. Labels finds the credential of the
// app. Safe for concurrent use.
type Flow struct {
	Notes     *Notes
	Labels    Labels
	Overrides Overrides
}

var _ report.Flow = (*Flow)(nil)

// Overrides knows what operators have decided of breakers.
type Overrides interface {
	// Standing returns the first override that stands for a credential that is chosen, nil for none.
	Standing(chosen func(credential string) bool) *override.Override
}

var _ Overrides = (*override.Room)(nil)

// Labels knows the credentials of apps.
type Labels interface {
	// Label returns the label of an app's credential, "" if it has no credential of its own and
	// uses the installation's; or why nothing can be sent for it.
	Label(ctx context.Context, tenant, app string) (string, *report.Waiting, error)
}

// Holding implements report.Flow.
func (f *Flow) Holding(ctx context.Context, tenant, app string) (*report.Waiting, error) {
	label, missing, err := f.Labels.Label(ctx, tenant, app)
	switch {
	case err != nil, missing != nil:
		return missing, err
	}
	by := f.Overrides.Standing(func(name string) bool {
		return name == label || label == "" && !credential.AppsOwn(name)
	})
	if by != nil && by.State == override.Open {
		return &report.Waiting{Reason: report.WaitBreaker, Until: by.Until, Note: by.Text()}, nil
	}
	var w *report.Waiting
	if label != "" {
		if w, err = f.Notes.Holding(ctx, label); w != nil {
			w.Credential = label
		}
	} else {
		w, err = f.Notes.installation(ctx)
	}
	if by != nil && w != nil && w.Reason == report.WaitBreaker {
		return nil, err // it was noted before an operator closed it
	}
	return w, err
}

// installation returns what holds requests with the installation's own credential back. Which
// that is only dispatchers know, so any that no app has brought counts.
func (b *Notes) installation(ctx context.Context) (*report.Waiting, error) {
	const page = 1000
	for cursor := ""; ; {
		docs, next, err := b.docs.Documents(ctx, kindBreaker, cursor, page)
		if err != nil {
			return nil, fmt.Errorf("list breakers: %w", err)
		}
		for i := range docs {
			var last entry
			if credential.AppsOwn(docs[i].Name) || json.Unmarshal(docs[i].Body, &last) != nil {
				continue
			}
			if w := last.waiting(b.now()); w != nil {
				w.Credential = docs[i].Name
				return w, nil
			}
		}
		if cursor = next; cursor == "" {
			return nil, nil
		}
	}
}

// OpenSince implements predict.Breakers. An installation has one app, so any
// credential of it counts.
func (b *Notes) OpenSince(ctx context.Context, _ string) (time.Time, error) {
	notes, err := b.all(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var since time.Time
	for _, n := range notes {
		if !n.Since.IsZero() && b.now().Sub(n.At) < believed && (since.IsZero() || n.Since.Before(since)) {
			since = n.Since
		}
	}
	return since, nil
}
