package report_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// flow holds everything back for a reason, or nothing.
type flow struct {
	mu      sync.Mutex
	holding *report.Waiting
	err     error
	looks   int
}

func (f *flow) Holding(context.Context, string, string) (*report.Waiting, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	return f.holding, f.err
}

// hold changes the reason.
func (f *flow) hold(w *report.Waiting) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holding = w
}

// counted returns how often somebody has looked since the last call.
func (f *flow) counted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.looks
	f.looks = 0
	return n
}

func (w *world) readerIn(f report.Flow) *report.Reader {
	return report.New(report.Config{
		Notifications: w.ledger, Chunks: w.ledger, Devices: w.devices, Pages: w.pages, Log: zap.NewNop(), Flow: f,
	})
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	breaker := &report.Waiting{Reason: report.WaitBreaker, Until: soon, Code: push.CodeFCMUnavailable}
	at := soon.Format("15:04:05 UTC")
	waits := func(due time.Time, chunks ...int) func(w *world) {
		return func(w *world) {
			for _, seq := range chunks {
				w.changeLine(seq, func(l *ledger.Line) { l.State, l.Due = ledger.StateWaiting, due })
			}
		}
	}
	state := func(s push.State) func(w *world) {
		return func(w *world) { w.advance(func(p *push.Progress) { p.State = s }) }
	}
	for name, c := range map[string]struct {
		holding *report.Waiting
		change  func(w *world)
		want    string // "" for nothing
	}{
		"nothing":   {nil, func(*world) {}, ""},
		"a breaker": {breaker, func(*world) {}, "breaker open until " + at + " (fcm.unavailable)"},
		"a breaker, probed": {
			&report.Waiting{Reason: report.WaitBreaker, Code: push.CodeFCMInternal}, func(*world) {},
			"breaker half-open: a few requests find out whether FCM is back (fcm.internal)",
		},
		"a breaker, and nothing is open": {breaker, func(w *world) {
			for seq := range 2 {
				w.settle(seq, 0, push.CodeSent)
			}
		}, ""},
		"cancelled":         {breaker, state(push.StateCancelled), ""},
		"paused":            {breaker, state(push.StatePaused), "paused: resume sends the rest"},
		"uploading":         {breaker, state(push.StateUploading), "upload: recipients may still be added; start sends them"},
		"all wait":          {nil, waits(soon, 0, 1), "next attempt until " + at},
		"one does not wait": {nil, waits(soon, 0), ""},
		"their time is up":  {nil, waits(time.Now().Add(-time.Second), 0, 1), ""},
		"held": {breaker, func(w *world) {
			w.advance(func(p *push.Progress) {
				p.Held[push.Parts()[0]] = push.Hold{Code: push.CodeFCMThirdPartyAuth, Refused: 20, Since: time.Unix(9, 0)}
			})
		}, "held by the brake: resume it when the cause is mended, or cancel it (fcm.third_party_auth)"},
		"its throttle": {nil, func(w *world) {
			w.ledger.ChangeNotification(w.id, func(n *push.Notification) { n.PerSecond = 50 })
		}, "its throttle of 50/s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open()
			w.load("", rows(1, 2), 1)
			c.change(w)
			v, err := w.readerIn(&flow{holding: c.holding}).Notification(t.Context(), tenant, w.id)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if v.Waiting != nil {
				got = v.Waiting.Text()
			}
			if got != c.want {
				t.Errorf("waits for %q, want %q", got, c.want)
			}
		})
	}
	w := open()
	if v, err := w.readerIn(nil).Notification(t.Context(), tenant, w.id); err != nil || v.Waiting != nil {
		t.Errorf("nothing to do: %+v, %v", v.Waiting, err)
	}
	w.advance(func(p *push.Progress) { p.State, p.Pages, p.Sources = push.StateAccepted, 1, 3 })
	if v, err := w.readerIn(&flow{err: errors.New("away")}).Notification(t.Context(), tenant, w.id); err != nil || v.Waiting == nil ||
		v.Waiting.Reason != report.WaitPlan {
		t.Errorf("not planned: %+v, %v", v.Waiting, err)
	}
}

// A watch hears of what is waited for, and that it is over, though no delivery changes; a
// second's looks at the flow are one.
func TestWatchTellsOfWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open()
		w.load("", rows(1, 2), 2)
		f := &flow{}
		r := w.readerIn(f)
		watch, err := r.Watch(t.Context(), tenant, w.id, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer watch.Close()
		next := func() *report.View {
			t.Helper()
			v, err := watch.Latest()
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		first := next()
		if first == nil || first.Waiting != nil || next() != nil {
			t.Fatalf("at first %+v", first)
		}
		for _, holding := range []*report.Waiting{{Reason: report.WaitQuota}, nil} {
			f.hold(holding)
			<-watch.Changed()
			v := next()
			if v == nil || v.Revision != first.Revision || (v.Waiting == nil) != (holding == nil) {
				t.Fatalf("got %+v, want %+v", v, holding)
			}
			if next() != nil {
				t.Error("the same is told twice")
			}
		}
		f.counted()
		time.Sleep(10 * time.Second)
		if n := f.counted(); next() != nil || n > 11 {
			t.Errorf("%d looks in ten seconds, or something is told that did not change", n)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// stopping is a pause of one tenant.
type stopping struct{ tenant string }

// Stopped implements [report.Pauses].
func (s stopping) Stopped(n *push.Notification) *report.Waiting {
	if n.Tenant != s.tenant {
		return nil
	}
	return &report.Waiting{Reason: report.WaitSuspended, Note: "tenant acme is paused since noon by ops: too loud"}
}

// Who paused what, and why, is told before anything that FCM does; what is paused by itself says so, and another tenant's
// pause is nobody's business.
func TestSuspended(t *testing.T) {
	t.Parallel()
	w := open()
	w.load("", rows(1, 2), 1)
	waits := func(stopped string) string {
		t.Helper()
		v, err := report.New(report.Config{
			Notifications: w.ledger, Chunks: w.ledger, Devices: w.devices, Pages: w.pages, Log: zap.NewNop(),
			Flow: &flow{holding: &report.Waiting{Reason: report.WaitSick}}, Pauses: stopping{stopped},
		}).Notification(t.Context(), tenant, w.id)
		if err != nil {
			t.Fatal(err)
		}
		return v.Waiting.Text()
	}
	if got := waits(tenant); got != "tenant acme is paused since noon by ops: too loud" {
		t.Error(got)
	}
	if got := waits("another"); got != "throttled, because FCM fails most requests" {
		t.Error(got)
	}
	w.advance(func(p *push.Progress) { p.State = push.StatePaused })
	if got := waits(tenant); got != "paused: resume sends the rest" {
		t.Error(got)
	}
}
