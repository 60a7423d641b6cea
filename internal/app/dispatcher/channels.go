package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/push"
)

// How long things are kept.
const (
	// lookEvery is the age from which a credential is looked up again, so that a change
	// holds everywhere within five seconds.
	lookEvery = 4 * time.Second
	// idleFor is after how long without a send an app's sender goes.
	idleFor = 10 * time.Minute
	// retireAfter is how long the sender of a replaced credential may finish what it has
	// begun: the longest turn of a chunk, and the time-out of its last request.
	retireAfter = time.Minute
	// sweepEvery is how often that is looked at.
	sweepEvery = 30 * time.Second
	// againIn is after how long a chunk without a credential comes again, at least.
	againIn = 10 * time.Second
	// holdPlaces is how many chunks of one of several credentials may wait in a worker while
	// its guard lets nothing through; see [deliver.Channel].
	holdPlaces = 2
)

// channels are the ways to FCM of all apps: one sender for each that was sent for lately, on
// connections that all share, and a guard for each key. An app without a credential of its
// own has none, but for the installation's: that serves the app default of the tenant
// default, and everybody where FCM's place asks for no credentials. Safe for concurrent use.
type channels struct {
	pool      *fcm.Pool
	exchange  *fcm.Exchange
	room      *credential.Room
	guards    *guards
	own       *deliver.Channel // the installation's; nil: there is none
	everybody bool             // own serves whoever has none
	ownSender *fcm.Sender      // of own
	ownGuard  *sharedGuard
	elapsed   func() time.Duration
	log       *zap.Logger
	judged    chan verdict

	mu      sync.Mutex
	apps    map[credential.Ref]*appChannel
	retired []retiree
	open    atomic.Int64 // apps with a sender
}

// appChannel is the channel of one app.
type appChannel struct {
	ref  credential.Ref
	used atomic.Int64 // when it was asked for last, as time.Duration
	now  atomic.Pointer[looked]

	mu     sync.Mutex // held to look
	sender *fcm.Sender
	guard  *sharedGuard
	shown  credential.Credential // whose key sender has
	gone   bool                  // it is not in the list any more
	held   atomic.Int64
}

// errIdle is the error of a chunk that comes for an app in the moment in which that is given up;
// it comes again.
var errIdle = errors.New("the app's sender is being closed, because it was idle")

// looked is what a look came to.
type looked struct {
	channel deliver.Channel
	err     error
	at      time.Duration
}

// retiree is a sender that was replaced.
type retiree struct {
	sender *fcm.Sender
	guard  *sharedGuard
	at     time.Duration
}

// verdict is what Google said of a credential.
type verdict struct {
	ref            credential.Ref
	serial, reason string
}

var _ deliver.Channels = (*channels)(nil)

// Channel implements [deliver.Channels].
func (c *channels) Channel(ctx context.Context, tenant, name string) (deliver.Channel, error) {
	a := c.app(credential.RefOf(tenant, name))
	now := c.elapsed()
	if int64(now)-a.used.Load() > int64(time.Second) {
		a.used.Store(int64(now))
	}
	if l := a.now.Load(); l != nil && now-l.at < lookEvery {
		return l.channel, l.err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone { // given up this moment
		return deliver.Channel{}, errIdle
	}
	last := a.now.Load()
	if last != nil && c.elapsed()-last.at < lookEvery {
		return last.channel, last.err
	}
	at := c.elapsed()
	channel, err := c.look(ctx, a)
	if missing := new(deliver.NoCredentialError); err != nil && !errors.As(err, &missing) {
		if last == nil || last.err != nil || ctx.Err() != nil {
			return deliver.Channel{}, err
		}
		c.log.Warn("credential not looked up; going on with the one that is there",
			zap.String("tenant", a.ref.Tenant), zap.Stringer("app", a.ref), zap.Error(err))
		channel, err = last.channel, nil
	}
	a.now.Store(&looked{channel, err, at})
	return channel, err
}

func (c *channels) app(ref credential.Ref) *appChannel {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.apps[ref]
	if a == nil {
		a = &appChannel{ref: ref}
		a.used.Store(int64(c.elapsed()))
		c.apps[ref] = a
	}
	return a
}

// look looks the credential up. The app's lock is held.
func (c *channels) look(ctx context.Context, a *appChannel) (deliver.Channel, error) {
	opened, err := c.room.Open(ctx, a.ref, a.shown.Serial)
	switch {
	case errors.Is(err, push.ErrNotFound):
		c.drop(a)
		if c.own != nil && (c.everybody || a.ref == credential.RefOf(defaultTenant, "")) {
			return c.channelOf(*c.own), nil
		}
		return deliver.Channel{}, &deliver.NoCredentialError{Why: fmt.Sprintf("the app %s has no FCM credential", a.ref), Again: againIn}
	case opened != nil && err != nil: // it does not open
		c.drop(a)
		c.log.Error("credential cannot be used", zap.String("tenant", a.ref.Tenant), zap.Stringer("app", a.ref), zap.Error(err))
		return deliver.Channel{}, &deliver.NoCredentialError{Why: err.Error(), Again: againIn}
	case err != nil:
		return deliver.Channel{}, err
	case opened.Serial != a.shown.Serial:
		if err := c.replace(ctx, a, opened); err != nil {
			return deliver.Channel{}, &deliver.NoCredentialError{Why: err.Error(), Again: againIn}
		}
	}
	return c.channelOf(deliver.Channel{Sender: a.sender, Guard: a.guard.Guard, Held: &a.held}), nil
}

// channelOf returns a channel as things are: several share the places of the worker.
func (c *channels) channelOf(ch deliver.Channel) deliver.Channel {
	others := c.open.Load()
	if c.own != nil {
		others++
	}
	if others > 1 {
		ch.Hold = holdPlaces
	}
	return ch
}

// replace begins to use another credential of the app.
func (c *channels) replace(ctx context.Context, a *appChannel, opened *credential.Opened) error {
	defer clear(opened.File)
	key, err := c.exchange.Read(ctx, opened.File)
	if err != nil {
		return fmt.Errorf("credential of %s: %w", a.ref, err)
	}
	rotated := a.sender != nil && a.shown.Project == opened.Project
	g, err := c.guards.take(opened.Label(), rotated)
	if err != nil {
		return err
	}
	serial := opened.Serial
	log := c.log.With(zap.String("tenant", a.ref.Tenant), zap.String("app", a.ref.App), zap.String("project", opened.Project))
	sender, err := c.pool.Sender(fcm.Identity{Project: opened.Project, Tokens: key.Tokens, Log: log, Told: func(refusal string) {
		select {
		case c.judged <- verdict{a.ref, serial, refusal}:
		default: // so many at once: what is not noted is told again by the next process, or seen by the breaker
		}
	}})
	if err != nil {
		c.guards.give(g)
		return err
	}
	if a.sender != nil {
		log.Info("FCM credential replaced", zap.String("fingerprint", opened.Fingerprint))
	}
	c.drop(a)
	a.sender, a.guard, a.shown = sender, g, opened.Credential
	c.open.Add(1)
	return nil
}

// drop lets the app's sender finish what it has begun. The app's lock is held.
func (c *channels) drop(a *appChannel) {
	if a.sender == nil {
		return
	}
	c.mu.Lock()
	c.retired = append(c.retired, retiree{a.sender, a.guard, c.elapsed()})
	c.mu.Unlock()
	a.sender, a.guard, a.shown = nil, nil, credential.Credential{}
	c.open.Add(-1)
}

// run notes what Google says of credentials, and gives up what is not used, until ctx ends.
func (c *channels) run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-c.judged:
			c.judge(ctx, v)
		case <-tick.C:
			c.sweep(ctx, c.elapsed())
		}
	}
}

// judge notes a verdict.
func (c *channels) judge(ctx context.Context, v verdict) {
	state := credential.Valid
	if v.reason != "" {
		state = credential.Invalid
	}
	if err := c.room.Judge(ctx, v.ref, v.serial, state, v.reason); err != nil {
		c.log.Warn("state of a credential not noted", zap.String("tenant", v.ref.Tenant),
			zap.Stringer("app", v.ref), zap.String("state", string(state)), zap.Error(err))
	}
}

// sweep closes what was retired long enough ago, and what is idle.
func (c *channels) sweep(ctx context.Context, now time.Duration) {
	for _, a := range c.idle(now) {
		a.mu.Lock()
		c.drop(a)
		a.gone = true
		a.mu.Unlock()
	}
	c.mu.Lock()
	var over []retiree
	kept := c.retired[:0]
	for _, r := range c.retired {
		if now-r.at >= retireAfter {
			over = append(over, r)
		} else {
			kept = append(kept, r)
		}
	}
	clear(c.retired[len(kept):])
	c.retired = kept
	c.mu.Unlock()
	c.end(ctx, over)
}

// idle takes apps that were not sent for out of the list.
func (c *channels) idle(now time.Duration) (out []*appChannel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref, a := range c.apps {
		if int64(now)-a.used.Load() >= int64(idleFor) {
			delete(c.apps, ref)
			out = append(out, a)
		}
	}
	return out
}

func (c *channels) end(ctx context.Context, all []retiree) {
	for _, r := range all {
		_ = r.sender.Close(ctx) // it has no connections of its own, so it does not fail
		c.guards.give(r.guard)
	}
}

// close ends all senders; nothing is sent any more.
func (c *channels) close(ctx context.Context) {
	c.sweep(ctx, c.elapsed()+idleFor+retireAfter)
	c.sweep(ctx, c.elapsed()+idleFor+2*retireAfter) // what the first has just retired
	c.exchange.Close()
}

// usable is the readiness of the credentials that are in use: how many Google refuses. It
// names none, because anybody may ask.
func (c *channels) usable(context.Context) error {
	c.mu.Lock()
	all := make([]*appChannel, 0, len(c.apps))
	for _, a := range c.apps {
		all = append(all, a)
	}
	c.mu.Unlock()
	var bad, used int
	for _, a := range all {
		a.mu.Lock()
		if a.sender != nil {
			used++
			if err := a.sender.Refused(); err != nil {
				bad++
			}
		}
		a.mu.Unlock()
	}
	if bad > 0 {
		return fmt.Errorf("of the %d credentials of apps in use Google does not take %d: see belfry app credential list", used, bad)
	}
	return nil
}
