// Package overview is the route of the status: the system on one screen.
package overview

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/status"
)

// Statuses says how the system is.
type Statuses interface {
	// Look returns what a tenant may see, with "" everything. It always answers within a fraction of a second.
	Look(ctx context.Context, tenant string) status.Status
}

var _ Statuses = (*status.Room)(nil)

// Routes returns the route of the status.
func Routes(room Statuses) []*door.Route {
	return []*door.Route{{
		Method: http.MethodGet, Path: "/v1/status", Name: "getStatus", Needs: access.PermRead, Group: describe.GroupStatus,
		About: "Show how the system is: on one screen, and in one line of words.",
		Detail: "With the permission `platform` it is all of it: processes, queues, credentials, lanes, tenants, what is running and what that " +
			"waits for, dead letters by cause. Other keys see what is their tenant's. It answers within a fraction of a second whatever waits: a " +
			"part that takes longer is told as it was known last, and `missing` says so.",
		Gives: door.OK(reflect.TypeFor[client.Status]()),
		Run: door.Replying(func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
			tenant := x.Tenant
			if x.Who.Can(access.PermPlatform) {
				tenant = ""
			}
			s := room.Look(ctx, tenant)
			return door.Reply{Status: http.StatusOK, Body: view(&s, tenant == "")}, nil
		}),
	}}
}

// Self is what a process says of itself.
type Self interface {
	Self(ctx context.Context) status.Process
}

var _ Self = (*status.Beats)(nil)

// Own returns the route by which one process tells how it is, now and not as of its last beat. It asks for no key.
func Own(self Self) []*door.Route {
	return []*door.Route{{
		Method: http.MethodGet, Path: "/statusz", Name: "getProcessStatus", Group: describe.GroupOperators, Open: true, Quiet: true,
		About: "Show how this process is: checks, workers with what they have leased, credentials with breaker and pace, pauses.",
		Gives: door.OK(reflect.TypeFor[client.ProcessStatus]()),
		Run: door.Replying(func(ctx context.Context, _ *door.Exchange) (door.Reply, error) {
			p := self.Self(ctx)
			v := client.ProcessStatus{StatusProcess: process(&status.Seen{Process: p})}
			v.Credentials = each(p.Credentials, func(c *status.Credential) client.StatusCredential {
				return credential(&status.CredentialSum{Credential: *c, Processes: 1})
			})
			v.Pauses = each(p.Pauses, paused)
			return door.Reply{Status: http.StatusOK, Body: v}, nil
		}),
	}}
}

// each converts a list; an empty one is not null in JSON.
func each[A, B any](in []A, f func(*A) B) []B {
	out := make([]B, len(in))
	for i := range in {
		out[i] = f(&in[i])
	}
	return out
}

func view(s *status.Status, platform bool) client.Status {
	v := client.Status{
		At: s.At, Health: client.Health(s.Health), Headline: s.Headline, More: s.More, Open: s.Open, Counted: s.Counted,
		Oldest:    views.Moment(s.Oldest),
		Problems:  each(s.Problems, trouble),
		Processes: each(s.Processes, process),
		Queues: each(s.Queues, func(q *status.Queue) client.StatusQueue {
			return client.StatusQueue{
				Name: q.Name, Visible: q.Visible, InFlight: q.InFlight, Delayed: q.Delayed, OldestAge: q.OldestAge.Seconds(),
			}
		}),
		Credentials: each(s.Credentials, credential),
		Lanes: each(s.Lanes, func(l *status.Lane) client.StatusLane {
			return client.StatusLane{
				Lane: l.Lane, InHand: l.InHand, Places: l.Places, Window: l.Window, Processes: l.Processes,
				Open: l.Open, Oldest: views.Moment(l.Oldest),
			}
		}),
		Tenants: each(s.Tenants, func(t *status.Tenant) client.StatusTenant {
			return client.StatusTenant{
				Name: t.Name, Running: t.Running, Open: t.Open, Oldest: views.Moment(t.Oldest), Deferred: t.Deferred, Paused: t.Paused,
			}
		}),
		Running: each(s.Running, underWay),
		Replays: each(s.Replays, func(r *status.Replay) client.StatusReplay {
			return client.StatusReplay{
				ID: r.ID, State: r.State, Phase: r.Phase, By: r.By, Why: r.Why, Tenant: r.Tenant, Total: r.Total, CreatedAt: r.CreatedAt,
			}
		}),
		Letters: client.StatusLetters{
			Parked: s.Letters.Parked, Others: s.Letters.Others,
			Causes: each(s.Letters.Causes, func(c *status.Cause) client.StatusCause { return client.StatusCause(*c) }),
		},
		Pauses: each(s.Pauses, paused),
		Missing: each(s.Missing, func(m *status.Missing) client.StatusMissing {
			return client.StatusMissing{Part: m.Part, Reason: m.Reason, Age: m.Age.Seconds()}
		}),
	}
	if platform {
		v.Store = &client.StatusStore{Backend: s.Store.Backend, Seconds: s.Store.Took.Seconds(), Error: s.Store.Error}
		if d := s.Store.Disk; d != nil {
			v.Store.DiskFree, v.Store.DiskTotal = d.Free, d.Total
		}
		v.Rates, v.Past = new(client.StatusRates(s.Rates)), hour(&s.Past)
	}
	return v
}

func hour(p *status.Past) *client.StatusPast {
	v := &client.StatusPast{Until: time.Unix((p.Minute+1)*int64(time.Minute/time.Second), 0).UTC(), Ended: p.Ended}
	if v.Ended == nil {
		v.Ended = map[string][]int64{}
	}
	const half, most, nearly = 0.5, 0.95, 0.99
	n, p50 := p.Waited(half)
	if n == 0 {
		return v
	}
	_, p95 := p.Waited(most)
	_, p99 := p.Waited(nearly)
	v.ToFCM = &client.StatusWaits{Count: n, P50: p50, P95: p95, P99: p99}
	return v
}

func trouble(p *status.Problem) client.Trouble {
	return client.Trouble{
		Health: client.Health(p.Health), What: p.What, Affected: p.Affected, Since: views.Moment(p.Since), Why: p.Why, Do: p.Do,
	}
}

// stateSilent is the state of a process that is not heard from.
const stateSilent = "silent"

func process(p *status.Seen) client.StatusProcess {
	v := client.StatusProcess{
		ID: p.ID, Kind: p.Kind, Version: p.Version, State: p.State, Started: p.Started, At: p.At, Age: p.Age.Seconds(),
		Checks: each(p.Checks, func(c *status.Check) client.StatusCheck {
			return client.StatusCheck{Name: c.Name, Status: c.Status, Since: c.Since, Age: c.Age.Seconds(), Reason: c.Reason}
		}),
		Workers: each(p.Workers, func(w *status.Worker) client.StatusWorker { return client.StatusWorker(*w) }),
		Rates:   client.StatusRates(p.Rates),
	}
	if p.Silent {
		v.State, v.Rates = stateSilent, client.StatusRates{}
	}
	return v
}

func paused(p *status.Pause) client.StatusPause {
	return client.StatusPause{
		ID: p.ID, What: p.What, Scope: client.PauseScope(p.Scope), Tenant: p.Tenant, App: p.App, Lane: client.Lane(p.Lane), Label: p.Label,
		By: p.By, Reason: p.Reason, Since: p.Since,
	}
}

func credential(c *status.CredentialSum) client.StatusCredential {
	return client.StatusCredential{
		Label: c.Label, Apps: c.Apps, Processes: c.Processes, Breaker: c.Breaker, Since: views.Moment(c.Since),
		Until: views.Moment(c.Until), Cause: c.Cause,
		PausedUntil: views.Moment(c.PausedUntil), Throttled: c.Throttled, Sick: c.Sick, InFlight: c.InFlight, Pace: c.Pace, Quota: c.Share,
		Stale: c.Stale, Holding: c.Holding, Retries: c.Budget, Refused: c.Refused, TokenAt: views.Moment(c.TokenAt),
		TokenUntil: views.Moment(c.TokenUntil), Override: views.Override(c.Override),
	}
}

func underWay(w *status.Running) client.StatusRunning {
	return client.StatusRunning{
		ID: w.ID, Tenant: w.Tenant, App: w.App, State: w.State, Title: w.Title, Priority: w.Priority,
		AcceptedAt: w.AcceptedAt, Sources: w.Sources,
		Accepted: w.Accepted, Open: w.Open, Counted: w.Counted, Reason: w.Reason, Waiting: w.Waiting, Until: views.Moment(w.Until),
	}
}
