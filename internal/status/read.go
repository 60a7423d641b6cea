package status

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// ahead lets what a clock that goes fast has accepted be in the lists.
const ahead = time.Hour

func (r *Room) readProcesses(ctx context.Context) (listing, error) {
	begun := r.elapsed()
	all, err := processes(ctx, r.cfg.Docs)
	return listing{all, r.elapsed() - begun}, err
}

// readQueues asks all queues for their depth at the same time.
func (r *Room) readQueues(ctx context.Context) ([]Queue, error) {
	out := make([]Queue, len(r.cfg.Order))
	g, ctx := errgroup.WithContext(ctx)
	for i, name := range r.cfg.Order {
		g.Go(func() error {
			d, err := r.cfg.Queues[name].Depth(ctx)
			if err != nil {
				return fmt.Errorf("depth of %s: %w", name, err)
			}
			out[i] = Queue{Name: name, Visible: d.Visible, InFlight: d.InFlight, Delayed: d.Delayed, OldestAge: d.OldestAge}
			return nil
		})
	}
	return out, g.Wait()
}

// readRunning reads the oldest of what is not finished, of a tenant its newest: the heads first, which are told, then the
// sums of each, as long as there is time for them. last has the former sums.
func (r *Room) readRunning(ctx context.Context, tenant string, last map[string]Running, tell func(running)) (out running, err error) {
	heads, more, err := r.unfinished(ctx, tenant)
	if err != nil {
		return out, err
	}
	out.more = more
	if tenant == "" {
		waiting, err := r.cfg.Ledger.Unenqueued(ctx, r.cfg.Now().Add(ahead), 1)
		if err != nil {
			return out, err
		}
		if len(waiting) > 0 {
			out.outbox = waiting[0].AcceptedAt
		}
	}
	all := make([]Running, len(heads))
	for i := range heads {
		all[i] = known(&heads[i], last)
	}
	out.all = unfinished(all)
	tell(out)
	r.count(ctx, heads, all)
	clear(last)
	for i := range all {
		if all[i].Counted {
			last[all[i].ID] = all[i]
		}
	}
	out.all = unfinished(all)
	return out, nil
}

// count sums as many as there is time for.
func (r *Room) count(ctx context.Context, heads []push.Notification, all []Running) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Sums)
	defer cancel()
	for i := range heads {
		if ctx.Err() != nil {
			return
		}
		if full, err := r.cfg.Standings.Standing(ctx, &heads[i]); err == nil { // else it is told as it was
			all[i] = full
		}
	}
}

// known is what is known of a notification without its lines: its head, and the sums of before.
func known(n *push.Notification, last map[string]Running) Running {
	w := Running{
		ID: string(n.ID), Tenant: n.Tenant, App: n.AppName(), State: string(n.Progress.State), Title: message.Title(n.Message),
		Priority: string(n.Priority), Lane: n.Lane(), Labels: n.Labels, AcceptedAt: n.AcceptedAt, Sources: n.Progress.Sources,
	}
	if l, ok := last[w.ID]; ok {
		w.Accepted, w.Open, w.Counted, w.Reason, w.Waiting, w.Until = l.Accepted, l.Open, true, l.Reason, l.Waiting, l.Until
	}
	return w
}

// unfinished leaves out what has nothing open: the head says so later than the lines.
func unfinished(all []Running) []Running {
	out := make([]Running, 0, len(all))
	for i := range all {
		if w := &all[i]; !w.Counted || w.Open > 0 || w.Reason != "" {
			out = append(out, *w)
		}
	}
	return out
}

// unfinished returns up to runningMost heads, and whether there are more.
func (r *Room) unfinished(ctx context.Context, tenant string) ([]push.Notification, bool, error) {
	if tenant == "" {
		heads, next, err := r.cfg.Ledger.Unfinished(ctx, r.cfg.Now().Add(ahead), "", runningMost)
		return heads, next != "", err
	}
	heads, next, err := r.cfg.Ledger.Notifications(ctx, tenant, "", runningMost)
	heads = slices.DeleteFunc(heads, func(n push.Notification) bool { return !n.Progress.Unfinished() })
	return heads, next != "" && len(heads) > 0, err
}

// readLetters counts the parked letters by cause, over tenants and queues.
func (r *Room) readLetters(ctx context.Context, tenant string) (Letters, error) {
	parts, err := r.cfg.Causes.LetterGroups(ctx, push.LetterFilter{Tenant: tenant, States: []push.LetterState{push.LetterParked}})
	if err != nil {
		return Letters{}, err
	}
	var out Letters
	at := map[string]int{}
	for i := range parts {
		p := &parts[i]
		n := p.ByState[push.LetterParked]
		if n == 0 {
			continue
		}
		out.Parked += n
		k, ok := at[p.Fingerprint]
		if !ok {
			code := p.LastCode
			if code == push.CodeOpen {
				code = p.Code
			}
			k = len(out.Causes)
			at[p.Fingerprint] = k
			out.Causes = append(out.Causes, Cause{
				Fingerprint: p.Fingerprint, Code: code.String(), Pattern: p.Pattern, First: p.FirstDeadAt, Last: p.LastDeadAt,
			})
		}
		c := &out.Causes[k]
		c.Letters += n
		if p.FirstDeadAt.Before(c.First) {
			c.First = p.FirstDeadAt
		}
		if p.LastDeadAt.After(c.Last) {
			c.Last = p.LastDeadAt
		}
	}
	slices.SortFunc(out.Causes, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(b.Letters, a.Letters), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	if more := len(out.Causes) - causesMost; more > 0 {
		out.Causes, out.Others = out.Causes[:causesMost], more
	}
	return out, nil
}

// missing collects what could not be read.
type missing struct {
	now time.Time
	out *[]Missing
}

func note[T any](m *missing, part string, a answer[T]) {
	if a.err == nil {
		return
	}
	one := Missing{Part: part, Reason: a.err.Error()}
	if !a.at.IsZero() {
		one.Age = max(0, m.now.Sub(a.at))
	}
	*m.out = append(*m.out, one)
}

// disk is the fullest disk that anybody tells of.
func (r *Room) disk(all []Seen) (fullest *Disk) {
	keep := func(d *Disk) {
		if d != nil && d.Total > 0 && (fullest == nil || d.Free < fullest.Free) {
			fullest = d
		}
	}
	if r.cfg.Disk != nil {
		keep(r.cfg.Disk())
	}
	for i := range all {
		if !all[i].Silent {
			keep(all[i].Disk)
		}
	}
	return fullest
}
