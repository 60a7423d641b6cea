package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newTestHealth(t *testing.T, checks map[string]Check) *Health {
	t.Helper()
	h := NewHealth(time.Second)
	for name, check := range checks {
		if err := h.Register(name, check); err != nil {
			t.Fatalf("Register(%q): %v", name, err)
		}
	}
	return h
}

func passes(context.Context) error { return nil }
func fails(context.Context) error  { return errors.New("no route to host") }

// statuses is a report without its times.
func statuses(r Report) []string {
	out := []string{string(r.Status)}
	for _, c := range r.Checks {
		line := c.Name + ": " + string(c.Status)
		if c.Error != "" {
			line += ": " + c.Error
		}
		out = append(out, line)
	}
	return out
}

func TestReady(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name               string
		required, optional map[string]Check
		want               []string
		ok                 bool
	}{
		{"no checks", nil, nil, []string{"ok"}, true},
		{"all pass, sorted by name", map[string]Check{"queue": passes, "ledger": passes}, map[string]Check{"fcm": passes}, []string{
			"ok", "fcm: ok", "ledger: ok", "queue: ok",
		}, true},
		{"one fails", map[string]Check{"queue": fails, "ledger": passes}, nil, []string{
			"failing", "ledger: ok", "queue: failing: no route to host",
		}, false},
		{"one fails that it can do without", map[string]Check{"ledger": passes}, map[string]Check{"outbox": fails}, []string{
			"degraded", "ledger: ok", "outbox: degraded: no route to host",
		}, true},
		{"both", map[string]Check{"ledger": fails}, map[string]Check{"outbox": fails, "zone": fails}, []string{
			"failing", "ledger: failing: no route to host", "outbox: degraded: no route to host", "zone: degraded: no route to host",
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newTestHealth(t, tt.required)
			for name, check := range tt.optional {
				if err := h.RegisterOptional(name, check); err != nil {
					t.Fatal(err)
				}
			}
			got := h.Ready(t.Context())
			if diff := cmp.Diff(tt.want, statuses(got)); diff != "" {
				t.Errorf("Ready() (-want +got):\n%s", diff)
			}
			if got.OK() != tt.ok {
				t.Errorf("OK() = %v", got.OK())
			}
		})
	}
}

func TestDrainingIsNotReadyButLive(t *testing.T) {
	t.Parallel()

	asked := false
	h := newTestHealth(t, map[string]Check{"queue": func(context.Context) error { asked = true; return nil }})
	h.Drain()
	h.Drain()
	if got := h.Ready(t.Context()); got.OK() || got.Status != StatusDraining || asked {
		t.Errorf("Ready() = %+v, asked %v; want draining without asking", got, asked)
	}
	if got := h.Live(); !got.OK() {
		t.Errorf("Live() = %+v while draining, want ok", got)
	}
}

func TestLiveAsksNoCheck(t *testing.T) {
	t.Parallel()

	h := newTestHealth(t, map[string]Check{"queue": fails})
	if got := h.Live(); !got.OK() || got.Checks != nil {
		t.Errorf("Live() = %+v, want ok without checks", got)
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()

	h := newTestHealth(t, map[string]Check{"queue": passes})
	tests := []struct {
		name  string
		as    string
		check Check
	}{
		{"a name twice", "queue", passes},
		{"no name", "", passes},
		{"no function", "ledger", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := h.Register(tt.as, tt.check); err == nil {
				t.Errorf("Register(%q) accepted %s", tt.as, tt.name)
			}
		})
	}
}

// A check that hangs costs one goroutine and holds nobody up: neither who asks
// nor the other checks.
func TestReadyWithACheckThatHangs(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var calls atomic.Int64
		h := newTestHealth(t, map[string]Check{
			"ledger": passes,
			"queue": func(context.Context) error { // ignores its ctx, as a driver's bug may make it
				calls.Add(1)
				<-hang
				return nil
			},
		})
		start := time.Now()
		for _, want := range []string{"0.8s", "1.6s", "2.4s"} { // polled again and again, it runs once
			got := statuses(h.Ready(t.Context()))
			if diff := cmp.Diff([]string{"failing", "ledger: ok", "queue: failing: no answer for " + want}, reduced(got)); diff != "" {
				t.Errorf("Ready() (-want +got):\n%s", diff)
			}
		}
		if took := time.Since(start); took != 3*patience || calls.Load() != 1 {
			t.Errorf("3 polls took %v and %d runs, want %v (virtual) and 1", took, calls.Load(), 3*patience)
		}

		close(hang)
		synctest.Wait()
		if got := h.Ready(t.Context()); !got.OK() || calls.Load() != 1 {
			t.Errorf("after the check came back: Ready() = %+v, %d runs; want ok from the first", got, calls.Load())
		}
	})
}

// reduced writes durations below a second as others: 800ms as 0.8s.
func reduced(lines []string) []string {
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "800ms", "0.8s")
	}
	return lines
}

// While a check that passed before takes its time, its last answer stands; not
// beyond the time-out.
func TestReadyGoesByTheLastAnswer(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var takes atomic.Int64
		h := newTestHealth(t, map[string]Check{"queue": func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(takes.Load())):
				return nil
			}
		}})
		if got := h.Ready(t.Context()); !got.OK() || got.Checks[0].AgeSeconds != 0 {
			t.Fatalf("Ready() = %+v", got)
		}
		takes.Store(int64(900 * time.Millisecond))
		time.Sleep(fresh)
		if got := h.Ready(t.Context()); !got.OK() || got.Checks[0].AgeSeconds != (fresh+patience).Seconds() {
			t.Errorf("slow: Ready() = %+v", got)
		}
		takes.Store(int64(time.Hour))
		time.Sleep(fresh + 150*time.Millisecond)
		if got := h.Ready(t.Context()); !got.OK() {
			t.Errorf("it has just begun to hang: Ready() = %+v", got)
		}
		if got := h.Ready(t.Context()); got.OK() || got.Checks[0].Error != context.DeadlineExceeded.Error() {
			t.Errorf("it hangs: Ready() = %+v", got)
		}
	})
}

// However many probes ask, a check runs once in a while.
func TestReadyIsNoLoad(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		h := newTestHealth(t, map[string]Check{"queue": func(context.Context) error { calls.Add(1); return nil }})
		for range 1000 {
			h.Ready(t.Context())
			time.Sleep(10 * time.Millisecond)
		}
		if n := calls.Load(); n < 5 || n > 6 {
			t.Errorf("%d runs in 10 s, want one in two seconds", n)
		}
	})
}

// While somebody asks now and then, a failure that takes its time is known to
// the next who asks; when nobody does, nothing runs.
func TestReadyIsKeptFresh(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var calls atomic.Int64
		h := newTestHealth(t, map[string]Check{"queue": func(ctx context.Context) error {
			calls.Add(1)
			if !down.Load() {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}})
		for range 3 {
			if got := h.Ready(t.Context()); !got.OK() {
				t.Errorf("Ready() = %+v", got)
			}
			time.Sleep(10 * time.Second)
		}
		down.Store(true)
		time.Sleep(refreshEvery + time.Second)
		start := time.Now()
		if got := h.Ready(t.Context()); got.OK() || got.Checks[0].AgeSeconds > refreshEvery.Seconds() {
			t.Errorf("Ready() = %+v after %v", got, time.Since(start))
		}
		time.Sleep(time.Hour)
		if n := calls.Load(); n > 20 {
			t.Errorf("%d runs, of which all but some were for nobody", n)
		}
	})
}

func TestChangesAreToldOnce(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var bad error
		h := newTestHealth(t, map[string]Check{"queue": func(context.Context) error { return bad }})
		var told []string
		h.OnChange(func(r CheckResult, after time.Duration) {
			told = append(told, r.Name+" "+string(r.Status)+" "+r.Error+" after "+after.String())
		})
		began := time.Now()
		var since []time.Duration
		for i := range 12 {
			switch i {
			case 4:
				bad = errors.New("locked")
			case 8:
				bad = nil
			}
			r := h.Ready(t.Context())
			since = append(since, r.Checks[0].Since.Sub(began).Round(time.Second))
			time.Sleep(fresh)
		}
		if diff := cmp.Diff([]string{"queue failing locked after 8s", "queue ok  after 8s"}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if since[3] != 0 || since[7] != 8*time.Second || since[11] != 16*time.Second {
			t.Errorf("since %v", since)
		}
	})
}

func TestReadyChecksRunAtTheSameTime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context) error { time.Sleep(700 * time.Millisecond); return nil }
		h := newTestHealth(t, map[string]Check{"a": slow, "b": slow, "c": slow})
		start := time.Now()
		if got := h.Ready(t.Context()); !got.OK() {
			t.Errorf("Ready() = %+v", got)
		}
		if took := time.Since(start); took != 700*time.Millisecond {
			t.Errorf("three checks of 700ms took %v (virtual)", took)
		}
	})
}

func TestReadyCallersShareARun(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		h := newTestHealth(t, map[string]Check{"queue": func(ctx context.Context) error {
			calls.Add(1)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(500 * time.Millisecond):
				return nil
			}
		}})
		impatient, leave := context.WithCancel(t.Context())
		var first, second Report
		var wg sync.WaitGroup
		wg.Go(func() { first = h.Ready(impatient) })
		synctest.Wait()
		wg.Go(func() { second = h.Ready(t.Context()) })
		synctest.Wait()
		leave()
		wg.Wait()
		if first.OK() || !second.OK() || calls.Load() != 1 {
			t.Errorf("who left got %+v, who stayed %+v, from %d runs; want failing, ok, 1", first, second, calls.Load())
		}
	})
}

func TestHealthConcurrently(t *testing.T) {
	t.Parallel()

	h := NewHealth(time.Minute)
	var wg sync.WaitGroup
	for i := range 8 {
		name := string(rune('a' + i))
		wg.Go(func() {
			if err := h.Register(name, passes); err != nil {
				t.Errorf("Register(%q): %v", name, err)
			}
		})
		wg.Go(func() {
			if got := h.Ready(t.Context()); !got.OK() {
				t.Errorf("Ready() = %+v", got)
			}
		})
	}
	wg.Wait()
	if got := h.Ready(t.Context()); len(got.Checks) != 8 {
		t.Errorf("%d checks answered, want 8", len(got.Checks))
	}
}

func TestReportForms(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	r := Report{Status: StatusFailing, Checks: []CheckResult{
		{Name: "ledger", Status: StatusOK, Since: now.Add(-time.Hour)},
		{Name: "queue", Status: StatusFailing, Since: now.Add(-90 * time.Second), AgeSeconds: 1.5, Error: "no route\nto host"},
	}}
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"status":"failing","checks":[{"name":"ledger","status":"ok","since":"2026-11-03T11:00:00Z","age_seconds":0},` +
		`{"name":"queue","status":"failing","since":"2026-11-03T11:58:30Z","age_seconds":1.5,"error":"no route\nto host"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	const text = "failing\nledger: ok for 1h0m0s\nqueue: failing for 1m30s: no route to host\n"
	if diff := cmp.Diff(text, r.Text(now)); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
