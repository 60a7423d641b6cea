package dispatcher

import (
	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/status"
)

// shownApps is how many apps of a credential are named.
const shownApps = 5

// show says how this process stands with the credentials in use, each once, however many apps have it.
func (c *channels) show() []status.Credential {
	var out []status.Credential
	at := map[string]int{}
	add := func(app string, sender *fcm.Sender, g *sharedGuard, held int64) {
		k, ok := at[g.label]
		if !ok {
			k = len(out)
			at[g.label] = k
			out = append(out, credentialOf(g))
		}
		one := &out[k]
		one.Holding += held
		if err := sender.Refused(); err != nil && one.Refused == "" {
			one.Refused = err.Error()
		}
		one.TokenAt, one.TokenUntil = sender.Token()
		if app != "" && len(one.Apps) < shownApps {
			one.Apps = append(one.Apps, app)
		}
	}
	if c.own != nil {
		add("", c.ownSender, c.ownGuard, c.own.Held.Load())
	}
	c.mu.Lock()
	apps := make([]*appChannel, 0, len(c.apps))
	for _, a := range c.apps {
		apps = append(apps, a)
	}
	c.mu.Unlock()
	for _, a := range apps {
		if !a.mu.TryLock() { // its credential is being looked up, which may take long: it is in the next beat
			continue
		}
		if a.sender != nil {
			add(a.ref.String(), a.sender, a.guard, a.held.Load())
		}
		a.mu.Unlock()
	}
	return out
}

func credentialOf(g *sharedGuard) status.Credential {
	s := g.State()
	c := status.Credential{
		Label: g.label, Breaker: s.Breaker.String(), Until: s.Until.UTC(), PausedUntil: s.PausedUntil.UTC(),
		Throttled: s.Traffic[guard.TrafficLive].Throttled, InFlight: s.InFlight, Pace: s.Pace, Share: s.Share, Stale: s.ShareStale,
		Sick: s.Sick, Budget: s.Budget, Since: s.Since.UTC(),
	}
	if s.Breaker != guard.BreakerClosed && s.Cause != push.CodeOpen {
		c.Cause = s.Cause.String()
	}
	if o := s.Override; o != (guard.Override{}) {
		c.Override = &status.Override{State: o.State.String(), By: o.By, Reason: o.Reason, Since: o.Since.UTC(), Until: o.Until}
	}
	return c
}
