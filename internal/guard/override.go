package guard

import (
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// Override is what an operator has decided of a credential's breakers, of all kinds of traffic, in place of what they would
// decide themselves. The zero value is none.
type Override struct {
	// State is BreakerOpen: no request passes, and none probes; or BreakerClosed: no breaker opens, whatever FCM answers. The
	// throttle, the pace and the retry budget hold all the same.
	State  BreakerState
	By     string // who decided it
	Reason string // for people; may be empty
	Since  time.Time
	Until  time.Time // from then on the breakers decide again; zero: until [Guard.Reset]
}

// overrideLook is the longest time after which a request that an override holds back looks again; a change wakes it before.
const overrideLook = time.Minute

// hand is the operator's hand on the breakers, which all gates of a guard feel. The guard's lock guards it.
type hand struct {
	Override

	on     bool
	until  time.Duration // since the guard's epoch
	moving bool          // the gates follow it, and do not tell of that one by one
}

// holds reports whether the breakers are held in a state.
func (h *hand) holds(state BreakerState, now time.Duration) bool {
	return h.on && h.State == state && now < h.until
}

// Force puts an override in place of whatever stood before. What speaks against FCM is forgotten. A breaker that was forced
// open and whose time is up probes, as one does that opened by itself. It is told to onChange once, even if the state stays
// what it was.
func (g *Guard) Force(o Override) {
	defer g.feed.drain()
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock()
	if !o.Until.IsZero() && g.epoch.Add(now).Compare(o.Until) >= 0 {
		g.letGo(now)
		return
	}
	was := g.gates[TrafficLive].shown
	g.renew(now)
	g.hand = hand{Override: o, on: true, until: math.MaxInt64}
	if !o.Until.IsZero() {
		g.hand.until = o.Until.Sub(g.epoch)
	}
	if o.State == BreakerOpen {
		g.hand.moving = true
		for _, gt := range g.gates {
			gt.trip(now)
		}
		g.hand.moving = false
	}
	g.tell(now, was, o, byForce)
}

// Reset lets go of an override, if there is one, closes the breakers and forgets what spoke against FCM: they decide again,
// by what they see from now on. Breakers that were open let the rate climb, as after any outage. It is told to onChange.
func (g *Guard) Reset(by, reason string) {
	defer g.feed.drain()
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock()
	was := g.gates[TrafficLive].shown
	g.hand = hand{}
	g.renew(now)
	g.tell(now, was, Override{By: by, Reason: reason}, byReset)
}

// LetGo ends an override as if its time were up.
func (g *Guard) LetGo() {
	defer g.feed.drain()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.letGo(g.clock())
}

// overdue lets go of an override whose time is up. The lock is held.
func (g *Guard) overdue(now time.Duration) {
	if g.hand.on && now >= g.hand.until {
		g.letGo(now)
	}
}

func (g *Guard) letGo(now time.Duration) {
	if !g.hand.on {
		return
	}
	o := g.hand.Override
	g.hand = hand{}
	g.tell(now, g.gates[TrafficLive].shown, o, byTime)
}

// renew replaces the gates by closed ones that know of nothing. Tickets of the old gates' rounds say nothing to them.
func (g *Guard) renew(now time.Duration) {
	g.suspects = newSuspects()
	for t, old := range g.gates {
		fresh := newGate(&g.cfg, old.traffic, g.meter, &g.hand, g.shown)
		fresh.now, fresh.since = now, now
		if old.state != BreakerClosed {
			fresh.throttle.resume(now)
		}
		g.gates[t] = fresh
	}
}

// trip opens a closed gate, which the operator's hand has decided.
func (g *gate) trip(now time.Duration) {
	g.now, g.cause = now, sickError{code: push.CodeOpen}
	if done, err := g.cb.Allow(); err == nil {
		done(&g.cause)
	}
}

// move is by what a breaker changed.
type move uint8

const (
	byItself move = iota
	byForce       // an operator's override began
	byReset       // an operator reset it
	byTime        // an override ended
)

// tell takes note of what was done to the breakers together, and lets all who wait look again. The lock is held.
func (g *Guard) tell(now time.Duration, was BreakerState, o Override, by move) {
	n := note{
		Change: Change{
			Credential: g.cfg.Credential, From: was, To: g.gates[TrafficLive].shown, At: g.epoch.Add(now), By: o.By, Reason: o.Reason,
		},
		traffic: TrafficLive, by: by,
	}
	if by == byForce {
		n.Until = o.Until
	}
	g.feed.put(n)
	g.settle(now)
	g.bell.ring()
}

// announceHand logs what an operator did, or that it is over, and reports whether that is a change to be told.
func (g *Guard) announceHand(n note) bool {
	who := []zap.Field{zap.Stringer("state", n.To), zap.String("by", n.By), zap.String("reason", n.Reason)}
	switch n.by {
	case byForce:
		if !n.Until.IsZero() {
			who = append(who, zap.Time("until", n.Until))
		}
		g.log.Warn("breaker forced", who...)
	case byReset:
		g.log.Warn("breaker reset", who...)
	case byTime:
		g.log.Warn("breaker no longer forced", who...)
		return false
	case byItself:
	}
	return true
}
