package pause

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Prefix is that of a pause's id.
const Prefix = "pse"

const (
	kind = "pauses"
	name = "all"
)

// readEvery is how often a process reads the pauses: often enough that none starts a request a second after a pause,
// with a store that needs up to 400 ms.
const readEvery = 400 * time.Millisecond

// Pauses keeps the pauses, and knows those of a moment ago. Safe for concurrent use.
type Pauses struct {
	shared *document.Shared[stored]
	now    func() time.Time
	log    *zap.Logger
}

// New returns a room in which nothing is paused until Run or Read has looked; now nil is time.Now.
func New(docs document.Store, now func() time.Time, log *zap.Logger) *Pauses {
	if now == nil {
		now = time.Now
	}
	prepare := func(s *stored) { s.standing = stand(s.Pauses) }
	return &Pauses{shared: document.NewShared(docs, kind, name, now, prepare), now: now, log: log}
}

// stored is the document.
type stored struct {
	Pauses []Pause `json:"pauses"`

	standing *standing // of what is known
}

// errSame ends a change that changes nothing.
var errSame = errors.New("pause: as it is already")

// Add stores a pause; ID and Since are set here. There is one for a scope, and one more of the operator's: if it is there
// already, that one is returned, and made is false. The error may be push.Faults.
func (p *Pauses) Add(ctx context.Context, asked Pause) (stands Pause, made bool, err error) {
	if faults := asked.check(); len(faults) > 0 {
		return Pause{}, false, faults
	}
	err = p.shared.Change(ctx, func(s *stored) error {
		for _, o := range s.Pauses {
			if o.stops() == asked.stops() && o.Operator == asked.Operator {
				stands = o
				return errSame
			}
		}
		stands = asked
		stands.ID, stands.Since = push.NewID(Prefix), p.now().UTC().Truncate(time.Millisecond)
		if err := s.room(&stands); err != nil {
			return err
		}
		s.Pauses = append(s.Pauses, stands)
		return nil
	})
	if errors.Is(err, errSame) {
		return stands, false, nil
	}
	if err == nil {
		p.log.Warn("paused", zap.String("tenant", stands.Tenant), zap.String("what", stands.What()),
			zap.String("by", stands.By), zap.String("reason", stands.Reason))
	}
	return stands, err == nil, err
}

// All returns the pauses that are stored now, the oldest first.
func (p *Pauses) All(ctx context.Context) ([]Pause, error) {
	s, err := p.shared.Stored(ctx)
	return s.Pauses, err
}

// Known returns the pauses that this process knows of and keeps to, the oldest first. Nobody changes what is returned.
func (p *Pauses) Known() []Pause {
	s, _ := p.shared.Known()
	return s.Pauses
}

// Remove lifts a pause if may allows it, or returns push.ErrNotFound.
func (p *Pauses) Remove(ctx context.Context, id push.ID, may func(*Pause) error) error {
	var lifted Pause
	err := p.shared.Change(ctx, func(s *stored) error {
		k := slices.IndexFunc(s.Pauses, func(o Pause) bool { return o.ID == id })
		if k < 0 {
			return push.ErrNotFound
		}
		lifted = s.Pauses[k]
		if err := may(&lifted); err != nil {
			return err
		}
		s.Pauses = slices.Delete(s.Pauses, k, k+1)
		return nil
	})
	if err == nil {
		p.log.Warn("pause lifted", zap.String("tenant", lifted.Tenant), zap.String("what", lifted.What()),
			zap.Duration("after", p.now().Sub(lifted.Since)))
	}
	return err
}

// Forget lifts the pauses of an app, or with the app "" all of a tenant's, and returns how many
// there were.
func (p *Pauses) Forget(ctx context.Context, tenant, app string) (gone int, err error) {
	err = p.shared.Change(ctx, func(s *stored) error {
		had := len(s.Pauses)
		s.Pauses = slices.DeleteFunc(s.Pauses, func(o Pause) bool { return o.Tenant == tenant && (app == "" || o.App == app) })
		if gone = had - len(s.Pauses); gone == 0 {
			return errSame
		}
		return nil
	})
	if errors.Is(err, errSame) {
		err = nil
	}
	return gone, err
}

// Read looks at the store now.
func (p *Pauses) Read(ctx context.Context) error { return p.shared.Read(ctx) }

// Run keeps what is known up to date, until ctx ends.
func (p *Pauses) Run(ctx context.Context) {
	p.shared.Run(ctx, readEvery, func(err error) {
		if err == nil {
			p.log.Info("pauses can be read again")
			return
		}
		s, _ := p.shared.Known()
		p.log.Warn("pauses cannot be read: keeping to those read last", zap.Int("pauses", len(s.Pauses)), zap.Error(err))
	})
}

// Of returns what stops what a notification has on a lane, as far as is known, nil if nothing does: the widest pause. It
// costs a few nanoseconds while nothing is paused, and a search for each of the notification's labels while its tenant has
// paused some, however many.
func (p *Pauses) Of(lane push.Lane, n *push.Notification) *Pause {
	s, _ := p.shared.Known()
	return s.standing.of(lane, n)
}

// Paused reports whether what a notification has on a lane is stopped, and whether all of the lane is. The channel is
// closed when pauses change; it was taken before they were looked at.
func (p *Pauses) Paused(lane push.Lane, n *push.Notification) (paused, all bool, changed <-chan struct{}) {
	s, changed := p.shared.Known()
	one := s.standing.of(lane, n)
	return one != nil, one != nil && one.Tenant == "", changed
}
