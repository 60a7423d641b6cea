package letters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// List returns letters, newest first unless the filter says otherwise. cursor is
// "" or what the last call returned; "" comes back at the end. limit is 1..1000.
// Searching for text may give pages with fewer letters, also none.
func (r *Room) List(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error) {
	const most = 1000
	return r.cfg.Letters.Letters(ctx, f, cursor, min(max(limit, 1), most))
}

// Detail is everything known about one letter.
type Detail struct {
	push.Letter

	Advice    Advice
	Ledger    push.Code        // the recipient's outcome in the ledger now
	Forgotten bool             // the ledger has no such recipient any more
	Evidence  []ledger.Attempt // every attempt of the recipient, replays in between
	Before    push.Message     // the message of its notification
	Deadline  time.Time        // of its notification: a replay without a new one sends nothing after it; zero if that is not known
	KeptUntil time.Time        // when retention gives the parked letter up; zero without a policy
}

// Get returns one letter with what the ledger says of it now, or
// push.ErrNotFound.
func (r *Room) Get(ctx context.Context, id push.ID) (Detail, error) {
	l, err := r.cfg.Letters.Letter(ctx, id)
	if err != nil {
		return Detail{}, fmt.Errorf("dead letter %s: %w", id, err)
	}
	d := Detail{Letter: l, Advice: AdviceFor(l.Cause())}
	if holdsAnother(&l) {
		d.Advice = wrappedAdvice()
	}
	if err := r.addLedger(ctx, &d); err != nil {
		return Detail{}, fmt.Errorf("dead letter %s: %w", id, err)
	}
	if err := r.addMessage(ctx, &d); err != nil {
		return Detail{}, fmt.Errorf("dead letter %s: %w", id, err)
	}
	policy, err := r.policy(ctx)
	if err == nil && policy.Parked > 0 && d.State == push.LetterParked {
		d.KeptUntil = d.StoredAt.Add(policy.Parked)
	}
	return d, err
}

func (r *Room) addLedger(ctx context.Context, d *Detail) error {
	if d.Kind != push.LetterRecipient {
		return nil
	}
	line, err := r.cfg.Lines.Line(ctx, d.Ref())
	if d.Forgotten = errors.Is(err, push.ErrNotFound); d.Forgotten {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read its line: %w", err)
	}
	if d.Forgotten = d.Cell >= len(line.Cells); !d.Forgotten {
		d.Ledger = line.Cells[d.Cell].Code()
	}
	evidence, err := r.cfg.Lines.Attempts(ctx, d.Ref())
	if err != nil {
		return fmt.Errorf("read its evidence: %w", err)
	}
	for i := range evidence {
		if evidence[i].Cell == d.Cell {
			d.Evidence = append(d.Evidence, evidence[i])
		}
	}
	return nil
}

// addMessage fills in the message and its deadline.
func (r *Room) addMessage(ctx context.Context, d *Detail) error {
	if d.Notification == "" {
		return nil
	}
	n, err := r.cfg.Notifications.Notification(ctx, d.Notification)
	if errors.Is(err, push.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read its notification: %w", err)
	}
	d.Before, d.Deadline = n.Message, n.Deadline()
	return nil
}

// Stats are sums over letters.
type Stats struct {
	ByState  map[push.LetterState]int64 // of every state
	ByQueue  map[string]int64           // the following: of the filter's states, parked ones if it has none
	ByCode   map[push.Code]int64
	ByClass  map[push.Class]int64
	ByTenant map[string]int64
	ByApp    map[string]int64
	Groups   int

	FirstDeadAt, LastDeadAt time.Time // zero without letters
	Expiry
}

// Stats sums the letters that match the filter. It costs twice as much as [Room.Groups].
func (r *Room) Stats(ctx context.Context, f push.LetterFilter) (Stats, error) {
	groups, err := r.Groups(ctx, f)
	if err != nil {
		return Stats{}, err
	}
	s := Stats{
		ByState: map[push.LetterState]int64{}, ByQueue: map[string]int64{}, ByCode: map[push.Code]int64{}, ByClass: map[push.Class]int64{},
		ByTenant: map[string]int64{}, ByApp: map[string]int64{}, Groups: len(groups),
	}
	for i := range groups {
		s.add(&groups[i])
	}
	if len(f.States) == 0 { // groups without parked letters have others
		every := f
		every.States = push.LetterStates()
		if groups, err = r.Groups(ctx, every); err != nil {
			return Stats{}, err
		}
	}
	for i := range groups {
		for state, n := range groups[i].ByState {
			s.ByState[state] += n
		}
	}
	s.Expiry, err = r.Expiring(ctx, f)
	return s, err
}

func (s *Stats) add(g *Group) {
	var n int64
	for tenant, k := range g.Tenants {
		s.ByTenant[tenant] += k
		n += k
	}
	for queue, k := range g.Queues {
		s.ByQueue[queue] += k
	}
	cause := g.LastCode
	if cause == push.CodeOpen {
		cause = g.Code
	}
	s.ByCode[cause] += n
	s.ByClass[g.Class] += n
	s.ByApp[g.App] += n
	if s.FirstDeadAt.IsZero() || g.FirstDeadAt.Before(s.FirstDeadAt) {
		s.FirstDeadAt = g.FirstDeadAt
	}
	if g.LastDeadAt.After(s.LastDeadAt) {
		s.LastDeadAt = g.LastDeadAt
	}
}
