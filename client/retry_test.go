package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestWait(t *testing.T) {
	t.Parallel()

	r := Retry{Attempts: 6, Base: time.Second, Max: 3 * time.Second}
	const none = time.Duration(-1)
	tests := []struct {
		name    string
		attempt int
		after   time.Duration
		chance  float64
		want    time.Duration
		again   bool
	}{
		{"first, nothing asked", 1, none, 0.5, 500 * time.Millisecond, true},
		{"second doubles", 2, none, 0.5, time.Second, true},
		{"third is capped", 3, none, 1, 3 * time.Second, true},
		{"far out", 5, none, 1, 3 * time.Second, true},
		{"last", 6, none, 0.5, 0, false},
		{"server asks for none", 1, 0, 0.5, 500 * time.Millisecond, true},
		{"server asks for 2 s", 1, 2 * time.Second, 0.5, 2500 * time.Millisecond, true},
		{"server asks for too much", 1, 4 * time.Second, 0.5, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, again := r.wait(tt.attempt, tt.after, tt.chance); got != tt.want || again != tt.again {
				t.Errorf("wait = %v, %v; want %v, %v", got, again, tt.want, tt.again)
			}
		})
	}
}

func TestWaitIsBounded(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		r := Retry{
			Attempts: rapid.IntRange(-1, 1<<20).Draw(t, "attempts"),
			Base:     time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "base")),
			Max:      time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "max")),
		}
		after := time.Duration(rapid.Int64Range(-1, int64(2*time.Hour)).Draw(t, "after"))
		wait, again := r.wait(rapid.IntRange(1, 1<<20).Draw(t, "attempt"), after, rapid.Float64Range(0, 1).Draw(t, "chance"))
		if again && (wait < 0 || wait > r.Max+r.Base || wait < after) {
			t.Fatalf("wait = %v", wait)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()

	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		header string
		want   time.Duration
	}{
		{"", -1},
		{"7", 7 * time.Second},
		{"0", 0},
		{"-3", -1},
		{"soon", -1},
		{now.Add(30 * time.Second).Format(http.TimeFormat), 30 * time.Second},
		{now.Add(-time.Hour).Format(http.TimeFormat), 0},
	}
	for _, tt := range tests {
		t.Run(tt.header, func(t *testing.T) {
			t.Parallel()
			if got := retryAfter(http.Header{"Retry-After": {tt.header}}, now); got != tt.want {
				t.Errorf("retryAfter = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()

	fail := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	tests := []struct {
		name  string
		first http.HandlerFunc
		calls int
	}{
		{"429", fail(429), 2},
		{"502", fail(502), 2},
		{"503", fail(503), 2},
		{"504", fail(504), 2},
		{"broken connection", func(http.ResponseWriter, *http.Request) { cut() }, 2},
		{"answer cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"id":`))
			cut()
		}, 2},
		{"an earlier attempt still runs", func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, Problem{Status: 409, Code: "idempotency_in_progress"})
		}, 2},
		{"the body broke off", func(w http.ResponseWriter, _ *http.Request) { refuse(w, Problem{Status: 400, Code: "body_incomplete"}) }, 2},
		{"400", fail(400), 1},
		{"401", fail(401), 1},
		{"409", fail(409), 1},
		{"500 may have been done", fail(500), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var keys []string
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				keys = append(keys, r.Header.Get("Idempotency-Key"))
				if len(keys) == 1 {
					tt.first(w, r)
					return
				}
				answer(w, http.StatusAccepted, Notification{ID: "ntf_1"})
			})
			n, err := c.Send(t.Context(), Request{})
			if len(keys) != tt.calls {
				t.Fatalf("%d calls, want %d", len(keys), tt.calls)
			}
			if keys[0] == "" || keys[len(keys)-1] != keys[0] {
				t.Errorf("idempotency keys = %q, want one and the same", keys)
			}
			if repeated := tt.calls > 1; repeated != (err == nil && n.ID == "ntf_1") {
				t.Errorf("result = %q, %v", n.ID, err)
			}
		})
	}
}

func TestFreshKeyPerCall(t *testing.T) {
	t.Parallel()

	seen := map[string]bool{}
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		seen[r.Header.Get("Idempotency-Key")] = true
		answer(w, http.StatusOK, Notification{})
	})
	for range 3 {
		if _, err := c.Cancel(t.Context(), "ntf_1"); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d keys in 3 calls, want 3", len(seen))
	}
}

func TestStreamsAreSentOnce(t *testing.T) {
	t.Parallel()

	calls := 0
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	if _, err := c.UploadRecipients(t.Context(), "bat_1", strings.NewReader("{}\n"), UploadOptions{}); !IsProblem(err, "") {
		t.Errorf("upload error = %v", err)
	}
	if _, err := c.ImportDevices(t.Context(), strings.NewReader("{}\n")); !IsProblem(err, "") {
		t.Errorf("import error = %v", err)
	}
	if err := c.Ready(t.Context()); !IsProblem(err, "") {
		t.Errorf("ready error = %v", err)
	}
	if calls != 3 {
		t.Errorf("%d calls, want 3: a reader cannot be read twice, and readiness is about now", calls)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		begin, calls := time.Now(), 0
		c := offline(t, DefaultRetry(), func(context.Context) *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			if calls++; calls == 1 {
				rec.Header().Set("Retry-After", strconv.Itoa(20))
				rec.WriteHeader(http.StatusTooManyRequests)
			}
			return rec
		})
		if err := c.Ready(t.Context()); !IsProblem(err, "") || time.Since(begin) != 0 {
			t.Fatalf("ready = %v after %v, want the 429 at once", err, time.Since(begin))
		}
		calls = 0
		if _, err := c.Notification(t.Context(), "ntf_1"); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d < 20*time.Second || d > 21*time.Second {
			t.Errorf("the second attempt came after %v, want 20 s and a little", d)
		}
	})
}

func TestGivesUp(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := offline(t, DefaultRetry(), func(context.Context) *httptest.ResponseRecorder { calls++; return nil })
		_, err := c.Notification(t.Context(), "ntf_1")
		if !errors.Is(err, http.ErrServerClosed) || calls != DefaultRetry().Attempts {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}

func TestContextEndsTheWait(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		c := offline(t, Retry{Attempts: 9, Base: time.Hour, Max: time.Hour}, func(context.Context) *httptest.ResponseRecorder {
			time.AfterFunc(time.Millisecond, func() { cancel(why) })
			rec := httptest.NewRecorder()
			rec.WriteHeader(http.StatusServiceUnavailable)
			return rec
		})
		c.chance = func() float64 { return 1 }
		_, err := c.Notification(ctx, "ntf_1")
		if !errors.Is(err, why) || !IsProblem(err, "") {
			t.Errorf("error = %v, want the cause and the last answer", err)
		}
	})
}

func TestHangingServer(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		begin, calls := time.Now(), 0
		c := offline(t, Retry{Attempts: 2}, func(ctx context.Context) *httptest.ResponseRecorder {
			if calls++; calls == 1 {
				<-ctx.Done()
				return nil
			}
			return httptest.NewRecorder()
		})
		if _, err := c.Notification(t.Context(), "ntf_1"); err != nil {
			t.Errorf("error = %v, want the second attempt's answer", err)
		}
		if d := time.Since(begin); d != attemptTimeout {
			t.Errorf("the hanging attempt took %v, want %v", d, attemptTimeout)
		}
	})
}
