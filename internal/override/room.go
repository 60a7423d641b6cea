package override

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

const (
	kind = "breaker-overrides"
	name = "all"
	// readEvery is how often a process reads the overrides.
	readEvery = 2 * time.Second
	// resetKept is how long a reset is kept, so that every dispatcher hears of it, also one whose store was away. One that
	// starts later has nothing to forget.
	resetKept = time.Hour
	// maxOverrides bounds the document, which may have 256 KiB.
	maxOverrides = 400
)

// Room keeps the overrides, and knows those of a moment ago. Safe for concurrent use.
type Room struct {
	shared *document.Shared[stored]
	now    func() time.Time
	log    *zap.Logger
}

// stored is the document.
type stored struct {
	Overrides []Override `json:"overrides"` // by credential, one of each
}

func byCredential(o Override, credential string) int {
	return strings.Compare(o.Credential, credential)
}

// New returns a room in which nothing is known until Run or Read has looked.
func New(docs document.Store, now func() time.Time, log *zap.Logger) *Room {
	return &Room{shared: document.NewShared[stored](docs, kind, name, now, nil), now: now, log: log}
}

// Set stores an override in place of what stood for its credential, which exists; Since is set here. With the state Automatic
// it ends what stands, and has the breakers forget what they saw. Without a reason, that of an override with the same state that
// stands is kept: whoever prolongs what another began need not know why. The error may be push.Faults.
func (r *Room) Set(ctx context.Context, asked Override) (Override, error) {
	now := r.now().UTC().Truncate(time.Millisecond)
	asked.Until = asked.Until.UTC().Truncate(time.Millisecond)
	if faults := asked.check(now); len(faults) > 0 {
		return Override{}, faults
	}
	reason := asked.Reason
	err := r.shared.Change(ctx, func(s *stored) error {
		asked.Reason = reason // another may have come in between
		s.Overrides = slices.DeleteFunc(s.Overrides, func(o Override) bool { return over(&o, now) })
		asked.Since = now
		k, there := slices.BinarySearchFunc(s.Overrides, asked.Credential, byCredential)
		if there && asked.State == s.Overrides[k].State && asked.State != Automatic {
			asked.Reason = cmp.Or(reason, s.Overrides[k].Reason)
		}
		switch {
		case there && !s.Overrides[k].Since.Before(now): // a clock goes fast: whoever knew the last knows that this is another
			asked.Since = s.Overrides[k].Since.Add(time.Millisecond)
			s.Overrides[k] = asked
		case there:
			s.Overrides[k] = asked
		case len(s.Overrides) >= maxOverrides:
			return push.Faults{{Code: push.FaultTooLarge, Detail: fmt.Sprintf("there are %d overrides, and may not be more", maxOverrides)}}
		default:
			s.Overrides = slices.Insert(s.Overrides, k, asked)
		}
		return nil
	})
	return asked, err
}

// over reports whether nobody needs to hear of an override any more.
func over(o *Override, now time.Time) bool {
	if o.State == Automatic {
		return now.Sub(o.Since) > resetKept
	}
	return !o.Stands(now)
}

// All returns the overrides that are stored and stand now, by credential.
func (r *Room) All(ctx context.Context) ([]Override, error) {
	s, err := r.shared.Stored(ctx)
	now := r.now()
	return slices.DeleteFunc(s.Overrides, func(o Override) bool { return !o.Stands(now) }), err
}

// Of returns what was decided last of a credential as far as is known, and whether anything was. It may be a reset, and its
// time may be up.
func (r *Room) Of(credential string) (Override, bool) {
	s, _ := r.shared.Known()
	k, there := slices.BinarySearchFunc(s.Overrides, credential, byCredential)
	if !there {
		return Override{}, false
	}
	return s.Overrides[k], true
}

// Standing returns the first override that stands as far as is known for a credential that is chosen, nil for none.
func (r *Room) Standing(chosen func(credential string) bool) *Override {
	s, _ := r.shared.Known()
	now := r.now()
	for _, o := range s.Overrides {
		if chosen(o.Credential) && o.Stands(now) {
			return &o
		}
	}
	return nil
}

// Changed returns a channel that is closed when what is known changes.
func (r *Room) Changed() <-chan struct{} {
	_, moved := r.shared.Known()
	return moved
}

// Read looks at the store now.
func (r *Room) Read(ctx context.Context) error { return r.shared.Read(ctx) }

// Run keeps what is known up to date, until ctx ends.
func (r *Room) Run(ctx context.Context) {
	r.shared.Run(ctx, readEvery, func(err error) {
		if err == nil {
			r.log.Info("overrides of breakers can be read again")
			return
		}
		r.log.Warn("overrides of breakers cannot be read: keeping to those read last", zap.Error(err))
	})
}
