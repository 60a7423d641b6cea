package telemetry

import (
	"context"
	"encoding/json"
	"errors"
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

func TestReady(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		checks map[string]Check
		want   Report
	}{
		{"no checks", nil, Report{Status: StatusOK}},
		{"all pass, sorted by name", map[string]Check{"queue": passes, "ledger": passes, "fcm": passes}, Report{
			Status: StatusOK,
			Checks: []CheckResult{
				{Name: "fcm", Status: StatusOK},
				{Name: "ledger", Status: StatusOK},
				{Name: "queue", Status: StatusOK},
			},
		}},
		{"one fails", map[string]Check{"queue": fails, "ledger": passes}, Report{
			Status: StatusFailing,
			Checks: []CheckResult{
				{Name: "ledger", Status: StatusOK},
				{Name: "queue", Status: StatusFailing, Error: "no route to host"},
			},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := newTestHealth(t, tt.checks).Ready(t.Context())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Ready() (-want +got):\n%s", diff)
			}
			if got.OK() != (tt.want.Status == StatusOK) {
				t.Errorf("OK() = %v with status %s", got.OK(), got.Status)
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

func TestReadyEndsWithTheTimeout(t *testing.T) {
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
		want := Report{Status: StatusFailing, Checks: []CheckResult{
			{Name: "ledger", Status: StatusOK},
			{Name: "queue", Status: StatusFailing, Error: "no answer yet: context deadline exceeded"},
		}}
		for range 3 { // polled again and again, the hanging check runs once
			if diff := cmp.Diff(want, h.Ready(t.Context())); diff != "" {
				t.Errorf("Ready() (-want +got):\n%s", diff)
			}
		}
		if took := time.Since(start); took != 3*time.Second || calls.Load() != 1 {
			t.Errorf("3 polls took %v and %d runs, want 3s (virtual) and 1", took, calls.Load())
		}

		close(hang)
		synctest.Wait()
		if got := h.Ready(t.Context()); !got.OK() || calls.Load() != 2 {
			t.Errorf("after the check came back: Ready() = %+v, %d runs; want ok from a second run", got, calls.Load())
		}
	})
}

func TestReadyChecksRunAtTheSameTime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context) error { time.Sleep(900 * time.Millisecond); return nil }
		h := newTestHealth(t, map[string]Check{"a": slow, "b": slow, "c": slow})
		start := time.Now()
		if got := h.Ready(t.Context()); !got.OK() {
			t.Errorf("Ready() = %+v", got)
		}
		if took := time.Since(start); took != 900*time.Millisecond {
			t.Errorf("three checks of 900ms took %v (virtual)", took)
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

func TestReportJSON(t *testing.T) {
	t.Parallel()

	h := newTestHealth(t, map[string]Check{"queue": fails, "ledger": passes})
	got, err := json.Marshal(h.Ready(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"status":"failing","checks":[{"name":"ledger","status":"ok"},` +
		`{"name":"queue","status":"failing","error":"no route to host"}]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
