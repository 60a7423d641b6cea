package breakers

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// What one process notes of a breaker another reads; a late note of an earlier
// time changes nothing, and one that is not renewed is forgotten.
func TestBreakersAreNoted(t *testing.T) {
	t.Parallel()
	b, err := sqlite.Open(t.Context(), t.TempDir(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	now := at
	clock := func() time.Time { return now }
	dispatcher, replayer := NewNotes(b.Store(), zap.NewNop(), clock), NewNotes(b.Store(), zap.NewNop(), clock)
	for i, step := range []struct {
		credential string
		note       entry
		now        time.Time
		want       time.Time
	}{
		{"older", entry{At: at, State: "open", Since: at}, at, at},
		// nobody renewed them
		{"main", entry{At: at.Add(time.Second), State: "open", Since: at.Add(time.Second)}, at.Add(3 * time.Minute), time.Time{}},
		{
			"main",
			entry{At: at.Add(3 * time.Minute), State: "open", Since: at.Add(time.Second)},
			at.Add(4 * time.Minute),
			at.Add(time.Second),
		},
		{"main", entry{At: at.Add(5 * time.Minute), State: "closed"}, at.Add(5 * time.Minute), time.Time{}},
		// written late
		{"main", entry{At: at.Add(4 * time.Minute), State: "open", Since: at.Add(time.Second)}, at.Add(5 * time.Minute), time.Time{}},
	} {
		dispatcher.note(t.Context(), step.credential, step.note)
		now = step.now
		if got, err := replayer.OpenSince(t.Context(), "default"); err != nil || !got.Equal(step.want) {
			t.Errorf("step %d: open since %v (%v), want %v", i, got, err, step.want)
		}
	}
}

func TestBreakersNobodyNoted(t *testing.T) {
	t.Parallel()
	b, err := sqlite.Open(t.Context(), t.TempDir(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	none := NewNotes(b.Store(), zap.NewNop(), time.Now)
	if got, err := none.OpenSince(t.Context(), "default"); err != nil || !got.IsZero() {
		t.Errorf("open since %v (%v)", got, err)
	}
	_ = b.Close()
	if _, err := none.OpenSince(t.Context(), "default"); err == nil {
		t.Error("a store that is away is not told")
	}
}

// quiet is a guard whose breaker does not move by itself.
type quiet struct{}

func (quiet) State() guard.State { return guard.State{} }

// Changes are told in their order, those of the last moment too, and a breaker that
// stays open is noted as such for as long as the process lives.
func TestNews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := NewNotes(&documenttest.Memory{}, zap.NewNop(), time.Now)
		var told []string
		n := NewChanges(notes, time.Now, func(_ context.Context, c guard.Change) { told = append(told, c.To.String()) })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { n.run(ctx, func() []breakerState { return []breakerState{quiet{}} }); close(ended) }()
		since := func() time.Duration {
			at, err := notes.OpenSince(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			if at.IsZero() {
				return 0
			}
			return time.Since(at)
		}
		move := func(from, to guard.BreakerState) {
			n.Tell(guard.Change{Credential: "p", From: from, To: to, At: time.Now()})
			time.Sleep(time.Millisecond)
		}
		move(guard.BreakerClosed, guard.BreakerOpen)
		time.Sleep(time.Hour)
		if got := since(); got < time.Hour {
			t.Errorf("an hour later it is open since %v", got)
		}
		move(guard.BreakerOpen, guard.BreakerHalfOpen)
		move(guard.BreakerHalfOpen, guard.BreakerOpen)
		move(guard.BreakerOpen, guard.BreakerClosed)
		if got := since(); got != 0 {
			t.Errorf("closed, and open since %v", got)
		}
		time.Sleep(time.Hour)
		n.Tell(guard.Change{Credential: "p", From: guard.BreakerClosed, To: guard.BreakerOpen, At: time.Now()})
		stop()
		<-ended
		if diff := cmp.Diff([]string{"open", "half_open", "open", "closed", "open"}, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// pausing is a guard that stands as it is told.
type pausing struct {
	mu    sync.Mutex
	state guard.State
}

func (p *pausing) State() guard.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *pausing) set(change func(s *guard.State)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.state)
}

// What holds sends back is told to whoever asks in another process, until it is over, its
// dispatcher is dead, or nobody has asked the breaker since its time was up. It is written
// when it changes and every half minute.
func TestFlowIsNoted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		docs := &documenttest.Memory{}
		notes, reader := NewNotes(docs, zap.NewNop(), time.Now), NewNotes(docs, zap.NewNop(), time.Now)
		n := NewChanges(notes, time.Now, func(context.Context, guard.Change) {})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		g := &pausing{state: guard.State{Credential: "p"}}
		go func() { n.run(ctx, func() []breakerState { return []breakerState{g} }); close(ended) }()
		want := func(when, text string) {
			t.Helper()
			w, err := reader.installation(t.Context())
			got := ""
			if w != nil {
				got = w.Text()
			}
			if err != nil || got != text {
				t.Errorf("%s: %q, %v, want %q", when, got, err, text)
			}
		}
		version := func() int64 {
			d, err := docs.Document(t.Context(), kindBreaker, "p")
			if err != nil {
				return 0
			}
			return d.Version
		}
		clock := func(at time.Time) string { return at.UTC().Format("15:04:05 UTC") }
		move := func(from, to guard.BreakerState, until time.Time, cause push.Code) {
			n.Tell(guard.Change{Credential: "p", From: from, To: to, At: time.Now(), Until: until, Cause: cause})
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		if want("all is well", ""); version() != 0 {
			t.Errorf("%d writes while nothing happened", version())
		}
		until := time.Now().Add(time.Minute)
		move(guard.BreakerClosed, guard.BreakerOpen, until, push.CodeFCMUnavailable)
		want("opened", "breaker open until "+clock(until)+" (fcm.unavailable)")
		time.Sleep(30 * time.Second)
		move(guard.BreakerOpen, guard.BreakerHalfOpen, time.Time{}, push.CodeOpen)
		want("probed", "breaker half-open: a few requests find out whether FCM is back (fcm.unavailable)")
		move(guard.BreakerHalfOpen, guard.BreakerClosed, time.Time{}, push.CodeOpen)
		want("closed", "")

		g.set(func(s *guard.State) { s.PausedUntil = time.Now().Add(5 * time.Minute) })
		before := version()
		time.Sleep(3 * time.Second)
		want("paused", "FCM's quota until "+clock(g.state.PausedUntil)+" (fcm.quota_exceeded)")
		time.Sleep(2 * time.Minute)
		want("still paused", "FCM's quota until "+clock(g.state.PausedUntil)+" (fcm.quota_exceeded)")
		if got := version() - before; got < 3 || got > 6 {
			t.Errorf("%d writes in two minutes", got)
		}
		g.set(func(s *guard.State) { s.PausedUntil, s.Traffic[guard.TrafficLive].Throttled = time.Time{}, true })
		time.Sleep(3 * time.Second)
		want("throttled", "throttled, because FCM fails most requests")
		g.set(func(s *guard.State) { s.Traffic[guard.TrafficLive].Throttled = false })
		time.Sleep(3 * time.Second)
		want("over", "")

		until = time.Now().Add(10 * time.Second)
		move(guard.BreakerClosed, guard.BreakerOpen, until, push.CodeFCMInternal)
		time.Sleep(5 * time.Second)
		longer := time.Now().Add(30 * time.Second)
		g.set(func(s *guard.State) { s.Breaker, s.Until, s.Cause = guard.BreakerOpen, longer, push.CodeFCMUnavailable })
		time.Sleep(10 * time.Second)
		want("it stays open", "breaker open until "+clock(longer)+" (fcm.unavailable)")
		g.set(func(s *guard.State) { s.Breaker, s.Until, s.Cause = guard.BreakerOpen, until, push.CodeFCMInternal })
		time.Sleep(5 * time.Second)
		want("its time is up", "breaker half-open: a few requests find out whether FCM is back (fcm.internal)")
		time.Sleep(10 * time.Second)
		want("nobody asks it", "")
		move(guard.BreakerOpen, guard.BreakerHalfOpen, time.Time{}, push.CodeOpen)
		move(guard.BreakerHalfOpen, guard.BreakerOpen, time.Now().Add(time.Hour), push.CodeFCMInternal)
		stop()
		<-ended
		time.Sleep(time.Minute)
		want("its dispatcher ended a minute ago", "breaker open until "+clock(time.Now().Add(59*time.Minute))+" (fcm.internal)")
		time.Sleep(time.Minute + time.Second)
		want("two minutes ago", "")
	})
}

// labels has the same label for every app.
type labels string

func (l labels) Label(context.Context, string, string) (string, *report.Waiting, error) {
	return string(l), nil, nil
}

// What an operator holds open is what waits, in his words, of that credential alone; what he holds closed does not, whatever
// was noted before.
func TestFlowKnowsOverrides(t *testing.T) {
	t.Parallel()
	docs := &documenttest.Memory{}
	now := func() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) }
	notes, room := NewNotes(docs, zap.NewNop(), now), override.New(docs, now, zap.NewNop())
	waits := func(label string) string {
		t.Helper()
		w, err := (&Flow{Notes: notes, Labels: labels(label), Overrides: room}).Holding(t.Context(), "acme", "")
		if err != nil {
			t.Fatal(err)
		}
		if w == nil {
			return ""
		}
		return w.Text()
	}
	hold := func(credential string, state override.State) {
		t.Helper()
		o := override.Override{Credential: credential, State: state, By: "ada", Reason: "incident 42", Until: now().Add(time.Hour)}
		if _, err := room.Set(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	const opened = "breaker opened by ada until 04:00:00 UTC: incident 42"
	hold("shop#1", override.Open)
	if got := waits("shop#1"); got != opened {
		t.Errorf("%q", got)
	}
	if got := waits("") + waits("shop#2"); got != "" {
		t.Errorf("%q", got)
	}
	hold("shop", override.Open)
	if got := waits(""); got != opened {
		t.Errorf("%q", got)
	}
	at := now()
	notes.note(t.Context(), "shop", entry{At: at, State: "open", Since: at, Until: at.Add(time.Minute)})
	hold("shop", override.Closed)
	if got := waits(""); got != "" {
		t.Errorf("%q", got)
	}
}
