package pause

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
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

// readPatience bounds one reading, so that a store that hangs is asked again.
const readPatience = 2 * time.Second

// Pauses keeps the pauses, and knows those of a moment ago. Safe for concurrent use.
type Pauses struct {
	docs  document.Store
	now   func() time.Time
	log   *zap.Logger
	known atomic.Pointer[standing]
	wrote atomic.Int64                  // changes of this process, lest a reading that began before one undoes it here
	moved atomic.Pointer[chan struct{}] // closed when they change
}

// New returns a room in which nothing is paused until Run or Read has looked; now nil is time.Now.
func New(docs document.Store, now func() time.Time, log *zap.Logger) *Pauses {
	if now == nil {
		now = time.Now
	}
	p := &Pauses{docs: docs, now: now, log: log}
	p.known.Store(&standing{})
	moved := make(chan struct{})
	p.moved.Store(&moved)
	return p
}

// stored is the document.
type stored struct {
	Pauses []Pause `json:"pauses"`
}

func (p *Pauses) load(ctx context.Context) (stored, int64, error) {
	var s stored
	version, err := document.Load(ctx, p.docs, kind, name, &s)
	if errors.Is(err, push.ErrNotFound) {
		err = nil
	}
	return s, version, err
}

// change applies f to the pauses until nobody else writes them in between.
func (p *Pauses) change(ctx context.Context, f func(*stored) error) error {
	const tries = 10
	var err error
	for range tries {
		s, version, failed := p.load(ctx)
		if failed != nil {
			return failed
		}
		if err = f(&s); err != nil {
			return err
		}
		if err = document.Save(ctx, p.docs, kind, name, version+1, s, p.now()); err == nil {
			p.wrote.Add(1)
			p.learn(s.Pauses)
			return nil
		}
		if !errors.Is(err, push.ErrConflict) {
			return err
		}
	}
	return err
}

// errSame ends a change that changes nothing.
var errSame = errors.New("pause: as it is already")

// Add stores a pause; ID and Since are set here. There is one for a scope, and one more of the operator's: if it is there
// already, that one is returned, and made is false. The error may be push.Faults.
func (p *Pauses) Add(ctx context.Context, asked Pause) (stands Pause, made bool, err error) {
	if faults := asked.check(); len(faults) > 0 {
		return Pause{}, false, faults
	}
	err = p.change(ctx, func(s *stored) error {
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
	s, _, err := p.load(ctx)
	return s.Pauses, err
}

// Remove lifts a pause if may allows it, or returns push.ErrNotFound.
func (p *Pauses) Remove(ctx context.Context, id push.ID, may func(*Pause) error) error {
	var lifted Pause
	err := p.change(ctx, func(s *stored) error {
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
	err = p.change(ctx, func(s *stored) error {
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
func (p *Pauses) Read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	wrote := p.wrote.Load()
	s, _, err := p.load(ctx)
	if err == nil && wrote == p.wrote.Load() {
		p.learn(s.Pauses)
	}
	return err
}

// Run keeps what is known up to date, until ctx ends.
func (p *Pauses) Run(ctx context.Context) {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	away := false
	for {
		err := p.Read(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !away:
			p.log.Warn("pauses cannot be read: keeping to those read last", zap.Int("pauses", len(p.known.Load().all)), zap.Error(err))
		case err == nil && away:
			p.log.Info("pauses can be read again")
		}
		away = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *Pauses) learn(all []Pause) {
	s := stand(all)
	if old := p.known.Swap(s); slices.Equal(old.all, s.all) {
		return
	}
	next := make(chan struct{})
	close(*p.moved.Swap(&next))
}

// Of returns what stops what a notification has on a lane, as far as is known, nil if nothing does: the widest pause. It
// costs a few nanoseconds while nothing is paused, and a search for each of the notification's labels while its tenant has
// paused some, however many.
func (p *Pauses) Of(lane push.Lane, n *push.Notification) *Pause { return p.known.Load().of(lane, n) }

// Paused reports whether what a notification has on a lane is stopped, and whether all of the lane is. The channel is
// closed when pauses change; it was taken before they were looked at.
func (p *Pauses) Paused(lane push.Lane, n *push.Notification) (paused, all bool, changed <-chan struct{}) {
	changed = *p.moved.Load()
	one := p.Of(lane, n)
	return one != nil, one != nil && one.Tenant == "", changed
}
