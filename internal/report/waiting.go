package report

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// WaitReason says what a notification waits for. The set is closed.
type WaitReason string

// The reasons, in the order in which they are told: the first that holds.
const (
	WaitUpload     WaitReason = "upload"     // for its recipients, and its start
	WaitPaused     WaitReason = "paused"     // for a resume
	WaitSuspended  WaitReason = "suspended"  // for an operator to lift a pause: of everything, its tenant, app, lane or label
	WaitBrake      WaitReason = "brake"      // for an operator: FCM refuses it for everybody
	WaitCredential WaitReason = "credential" // for its app's credential: there is none, or Google refuses it
	WaitBreaker    WaitReason = "breaker"    // for FCM, or the way to it, to be well again
	WaitQuota      WaitReason = "quota"      // for the time that FCM named when too much was asked of it
	WaitSick       WaitReason = "sick"       // for its turn: FCM fails most requests, so that few are made
	WaitDeferred   WaitReason = "deferred"   // for a quota of its tenant or app, over which it was accepted
	WaitPlan       WaitReason = "plan"       // to be cut into chunks
	WaitRetry      WaitReason = "retry"      // for the next attempt: everything that is open failed for now
	WaitPace       WaitReason = "throttle"   // for its own throttle
)

// WaitReasons lists every reason.
func WaitReasons() []WaitReason {
	return []WaitReason{
		WaitUpload, WaitPaused, WaitSuspended, WaitBrake, WaitCredential, WaitBreaker, WaitQuota, WaitSick, WaitDeferred,
		WaitPlan, WaitRetry, WaitPace,
	}
}

// Waiting is what a notification waits for.
type Waiting struct {
	Reason WaitReason
	Until  time.Time // when it is looked at again; zero if that is not known
	Code   push.Code // the answer that is the cause; push.CodeOpen if there is none

	PerSecond int    // of WaitPace
	Detail    string // of WaitCredential: what is wrong with it
	// Credential is the label of the one whose breaker is meant, of WaitBreaker; "" if that is not known.
	Credential string
	Note       string // of WaitSuspended: who paused what, and why; of WaitDeferred: which quota; of WaitBreaker: who opened it
}

// same reports whether two say the same; nil says that nothing waits.
func (w *Waiting) same(o *Waiting) bool { return w == o || w != nil && o != nil && *w == *o }

// Text says it to people: breaker open until 12:56:34 UTC (fcm.unavailable).
func (w *Waiting) Text() string {
	if w.Reason == WaitBreaker {
		return w.breaker()
	}
	s := map[WaitReason]string{ //nolint:gosec // words
		WaitSuspended: w.Note, WaitDeferred: w.Note,
		WaitUpload: "upload: recipients may still be added; start sends them", WaitPaused: "paused: resume sends the rest",
		WaitBrake:      "held by the brake: resume it when the cause is mended, or cancel it",
		WaitCredential: "its app's credential", WaitQuota: "FCM's quota",
		WaitSick: "throttled, because FCM fails most requests", WaitPlan: "a dispatcher to plan it", WaitRetry: "next attempt",
		WaitPace: fmt.Sprintf("its throttle of %d/s", w.PerSecond),
	}[w.Reason]
	if w.Detail != "" {
		s += ": " + w.Detail
	}
	if !w.Until.IsZero() {
		s += " until " + w.Until.UTC().Format("15:04:05 UTC")
	}
	if w.Code != push.CodeOpen {
		s += " (" + w.Code.String() + ")"
	}
	return s
}

// breaker says what waits for a breaker: who opened it, if somebody did.
func (w *Waiting) breaker() string {
	if w.Note != "" {
		return w.Note
	}
	cause := ""
	if w.Code != push.CodeOpen {
		cause = w.Code.String()
	}
	return push.BreakerWaits(w.Until.IsZero(), w.Until, cause)
}

// Flow knows what holds an app's requests to FCM back at present, in whatever process.
type Flow interface {
	// Holding returns it for an app of a tenant ("": its default one), or nil. What a process
	// said that has died since is not believed for long.
	Holding(ctx context.Context, tenant, app string) (*Waiting, error)
}

// Pauses knows what operators have paused.
type Pauses interface {
	// Stopped returns the pause that stops a notification on the lane that it takes, as what waits for it, or nil.
	Stopped(n *push.Notification) *Waiting
}

// Quotas knows what was deferred.
type Quotas interface {
	// Deferring returns the quota that a deferred notification waits for, as what waits for it.
	Deferring(ctx context.Context, n *push.Notification) *Waiting
}

// suspended returns the pause that stops a notification, or nil.
func (r *Reader) suspended(n *push.Notification) *Waiting {
	if r.cfg.Pauses == nil {
		return nil
	}
	return r.cfg.Pauses.Stopped(n)
}

// flowKeep is how long one look at the flow answers everybody in this process.
const flowKeep = time.Second

// flows shares the looks at a Flow. Safe for concurrent use.
type flows struct {
	mu   sync.Mutex
	last map[string]look // by tenant and app
}

// look is what was seen of the flow of an app.
type look struct {
	waiting *Waiting
	until   time.Time
}

// flowMost bounds the apps whose flow is remembered.
const flowMost = 10_000

// flow returns what holds the requests of an app back. That it cannot be found out is no
// reason not to answer.
func (r *Reader) flow(ctx context.Context, n *push.Notification, now time.Time) *Waiting {
	if r.cfg.Flow == nil {
		return nil
	}
	f := &r.flows
	f.mu.Lock()
	defer f.mu.Unlock()
	name := n.Tenant + "/" + n.App
	if l := f.last[name]; now.Before(l.until) {
		return l.waiting
	}
	w, err := r.cfg.Flow.Holding(ctx, n.Tenant, n.App)
	if err != nil && ctx.Err() == nil {
		r.cfg.Log.Warn("not known whether requests to FCM are held back", zap.Error(err))
	}
	if f.last == nil || len(f.last) >= flowMost {
		f.last = map[string]look{}
	}
	f.last[name] = look{w, now.Add(flowKeep)}
	return w
}

// planPatience is how long planning takes as a rule.
const planPatience = 3 * time.Second

// waiting returns what a notification waits for, nil if nothing of it waits.
func (r *Reader) waiting(ctx context.Context, v *View, now time.Time) *Waiting {
	switch v.State {
	case push.StateUploading:
		return &Waiting{Reason: WaitUpload}
	case push.StatePaused:
		return &Waiting{Reason: WaitPaused}
	case push.StateHeld:
		for _, h := range v.Notification.Progress.Held {
			if h.Code != push.CodeOpen {
				return &Waiting{Reason: WaitBrake, Code: h.Code}
			}
		}
	case push.StateAccepted, push.StateSending:
		if v.Open == 0 {
			return nil
		}
		if w := r.suspended(&v.Notification); w != nil {
			return w
		}
		if w := r.flow(ctx, &v.Notification, now); w != nil {
			return w
		}
		if n := &v.Notification; n.Deferred && r.cfg.Quotas != nil && v.Counts.Unplanned(n.Progress.Sources) > 0 {
			return r.cfg.Quotas.Deferring(ctx, n)
		}
		return v.waitsAlone(now)
	case push.StateCompleted, push.StateCancelled, push.StateDeadLettered:
	}
	return nil
}

// waitsAlone returns what the notification waits for that others do not.
func (v *View) waitsAlone(now time.Time) *Waiting {
	c, p := &v.Counts, &v.Notification.Progress
	from := v.Notification.AcceptedAt
	if p.StartedAt.After(from) {
		from = p.StartedAt
	}
	switch {
	case c.Chunks == 0 && now.Sub(from) > planPatience:
		return &Waiting{Reason: WaitPlan}
	case c.ChunksWaiting > 0 && c.ChunksWaiting == c.Chunks-c.ChunksClosed && c.Unplanned(p.Sources) == 0 && c.NextDue.After(now):
		return &Waiting{Reason: WaitRetry, Until: c.NextDue}
	case v.Notification.PerSecond > 0:
		return &Waiting{Reason: WaitPace, PerSecond: v.Notification.PerSecond}
	}
	return nil
}
