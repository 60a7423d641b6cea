package janitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// The janitor's documents.
const (
	kindJanitor = "janitor"
	nameLease   = "lease"
	nameLost    = "lost"
)

// lease makes one process at a time the janitor. Its holder writes it every round; the
// others measure, each by its own clock, how long the version stays the same, so that
// clocks of two machines are never compared. It only saves work: two janitors at once do
// no harm.
type lease struct {
	docs     document.Store
	owner    string
	now      func() time.Time
	patience time.Duration

	seen  int64     // version
	since time.Time // when it was seen first
}

type leaseJSON struct {
	Owner string    `json:"owner"` // "" for nobody
	At    time.Time `json:"at"`    // for people
}

// hold takes or renews the lease, and reports whether it is this process's.
func (l *lease) hold(ctx context.Context) (bool, error) {
	var held leaseJSON
	version, err := load(ctx, l.docs, nameLease, &held)
	if err != nil {
		return false, err
	}
	now := l.now()
	if version != l.seen || l.since.IsZero() {
		l.seen, l.since = version, now
	}
	if held.Owner != "" && held.Owner != l.owner && now.Sub(l.since) < l.patience {
		return false, nil
	}
	err = save(ctx, l.docs, nameLease, version+1, leaseJSON{Owner: l.owner, At: now.UTC()}, now)
	if errors.Is(err, push.ErrConflict) {
		return false, nil // somebody was faster
	}
	if err != nil {
		return false, err
	}
	l.seen, l.since = version+1, now
	return true, nil
}

// release gives the lease up. If that fails, it runs out.
func (l *lease) release(ctx context.Context) {
	var held leaseJSON
	version, err := load(ctx, l.docs, nameLease, &held)
	if err == nil && held.Owner == l.owner {
		_ = save(ctx, l.docs, nameLease, version+1, leaseJSON{At: l.now().UTC()}, l.now())
	}
}

// vacate takes the lease from its holder and leaves it free: a holder that lives takes it
// again.
func vacate(ctx context.Context, docs document.Store, now time.Time) error {
	var held leaseJSON
	version, err := load(ctx, docs, nameLease, &held)
	if err != nil || held.Owner == "" {
		return err
	}
	err = save(ctx, docs, nameLease, version+1, leaseJSON{At: now.UTC()}, now)
	if errors.Is(err, push.ErrConflict) {
		return nil // its holder lives
	}
	return err
}

// load reads one of the janitor's documents; its version is 0 if there is none.
func load(ctx context.Context, docs document.Store, name string, into any) (int64, error) {
	d, err := docs.Document(ctx, kindJanitor, name)
	if errors.Is(err, push.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the janitor's %s: %w", name, err)
	}
	if err := json.Unmarshal(d.Body, into); err != nil {
		return 0, fmt.Errorf("read the janitor's %s: %w", name, err)
	}
	return d.Version, nil
}

func save(ctx context.Context, docs document.Store, name string, version int64, body any, now time.Time) error {
	b, err := json.Marshal(body)
	if err == nil {
		err = docs.PutDocument(ctx, document.Document{Kind: kindJanitor, Name: name, Version: version, Body: b, UpdatedAt: now.UTC()})
	}
	if err != nil {
		return fmt.Errorf("write the janitor's %s: %w", name, err)
	}
	return nil
}
