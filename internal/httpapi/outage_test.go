package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

func outage(o push.Outage) error {
	return fmt.Errorf("create: %w", push.WithOutage(o, errors.New("dial tcp 10.0.0.7: secret")))
}

// Whatever a driver cannot do for the moment is answered with when to come back,
// and with no word of the inside.
func TestOutages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		outage push.Outage
		status int
		code   door.Code
	}{
		{push.OutageBusy, http.StatusServiceUnavailable, door.CodeUnavailable},
		{push.OutageFull, http.StatusServiceUnavailable, door.CodeUnavailable},
		{push.OutageReadOnly, http.StatusServiceUnavailable, door.CodeUnavailable},
		{push.OutageTimeout, http.StatusServiceUnavailable, door.CodeUnavailable},
		{push.OutageDown, http.StatusServiceUnavailable, door.CodeUnavailable},
		{push.OutageAccess, http.StatusServiceUnavailable, door.CodeUnavailable},
		{push.OutageClosing, http.StatusServiceUnavailable, door.CodeUnavailable},
		{push.OutageThrottled, http.StatusTooManyRequests, door.CodeThrottled},
	} {
		t.Run(string(c.outage), func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.intake.fail = outage(c.outage)
			got := g.Do(t, "POST", "/v1/notifications", send, "X-Request-Id", "req-1").Want(t, c.status, c.code)
			if want := strconv.Itoa(int(c.outage.RetryAfter() / time.Second)); got.Header().Get("Retry-After") != want {
				t.Errorf("Retry-After is %q, want %q", got.Header().Get("Retry-After"), want)
			}
			if strings.Contains(got.Body.String(), "secret") {
				t.Errorf("the answer tells of the inside: %s", got.Body)
			}
			golden(t, filepath.Join("testdata", "problems", "outage_"+string(c.outage)+".json"), got.Body.Bytes())
			lines := g.logs.FilterMessage("request").All()
			if len(lines) != 1 || lines[0].Level != zap.InfoLevel || lines[0].ContextMap()["code"] != string(c.code) ||
				!strings.Contains(fmt.Sprint(lines[0].ContextMap()["error"]), "secret") {
				t.Errorf("the log does not have the cause: %v", lines)
			}
		})
	}
}

// A queue's partial failure is an outage too, if one of its messages met one.
func TestOutageOfAPart(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.batches.fn = func(string, push.ID) (push.Notification, error) {
		return push.Notification{}, &worker.BatchError{Failed: map[int]error{3: outage(push.OutageThrottled)}}
	}
	g.Do(t, "POST", start, "").Want(t, http.StatusTooManyRequests, door.CodeThrottled)
}

// An outage is no answer to remember: the repeat with the same key executes.
func TestOutageIsForgotten(t *testing.T) {
	t.Parallel()
	for _, o := range []push.Outage{push.OutageThrottled, push.OutageDown} {
		t.Run(string(o), func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			calls := 0
			g.batches.fn = func(op string, id push.ID) (push.Notification, error) {
				if calls++; calls == 1 {
					return push.Notification{}, outage(o)
				}
				return moved(op, id)
			}
			if got := g.Do(t, "POST", start, "", "Idempotency-Key", "k"); got.Header().Get("Retry-After") == "" {
				t.Fatalf("got %d %s", got.Code, got.Body)
			}
			got := g.Do(t, "POST", start, "", "Idempotency-Key", "k").Want(t, http.StatusOK, "")
			if got.Header().Get("Idempotency-Replayed") != "" || calls != 2 {
				t.Errorf("%d calls, headers %v", calls, got.Header())
			}
		})
	}
}

// An upload that an outage breaks off says how far it came, whatever the outage.
func TestOutageInAnUpload(t *testing.T) {
	t.Parallel()
	for _, o := range []push.Outage{push.OutageThrottled, push.OutageFull} {
		t.Run(string(o), func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.batches.upload = func(r io.Reader, _ batch.Options) (batch.Result, error) {
				_, _ = io.ReadAll(r)
				return batch.Result{Accepted: 4, Watermark: 4}, outage(o)
			}
			got := g.Do(t, "POST", recipients+"?offset=1", "{}\n{}\n", "Content-Type", door.TypeNDJSON)
			if !strings.Contains(got.Problem.Detail, "continue with offset=5") || got.Header().Get("Retry-After") == "" ||
				got.Code < http.StatusTooManyRequests {
				t.Errorf("%d, Retry-After %q: %s", got.Code, got.Header().Get("Retry-After"), got.Body)
			}
		})
	}
}

// A client that has gone is not told of an outage that its going caused.
func TestOutageOfAClientThatLeft(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.intake.fail = errors.Join(context.Canceled, outage(push.OutageBusy))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.ServeHTTP(httptest.NewRecorder(), doortest.Posted("/v1/notifications", door.TypeJSON, send).WithContext(ctx))
	if lines := g.logs.FilterMessage("request").All(); len(lines) != 1 || lines[0].ContextMap()["status"] != int64(door.StatusGone) {
		t.Errorf("logged %v", lines)
	}
}

// Our own client comes back when it is told to, with the same key, and what it
// asked for is done once.
func TestClientOutlastsOutages(t *testing.T) {
	t.Parallel()
	for _, o := range []push.Outage{push.OutageThrottled, push.OutageBusy} {
		t.Run(string(o), func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			var calls atomic.Int32
			g.batches.fn = func(op string, id push.ID) (push.Notification, error) {
				if calls.Add(1) < 3 {
					return push.Notification{}, outage(o)
				}
				return moved(op, id)
			}
			var keys []string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				keys = append(keys, r.Header.Get("Idempotency-Key"))
				g.ServeHTTP(soon{w}, r)
			}))
			defer srv.Close()
			c, err := client.New(srv.URL, "", client.WithHTTPClient(srv.Client()),
				client.WithRetry(client.Retry{Attempts: 4, Base: time.Millisecond, Max: time.Minute}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.StartBatch(t.Context(), batID); err != nil {
				t.Fatal(err)
			}
			if len(keys) != 3 || keys[0] == "" || keys[0] != keys[1] || keys[1] != keys[2] {
				t.Errorf("keys %q, want three times the same", keys)
			}
		})
	}
}

// soon spares a test the seconds of Retry-After.
type soon struct{ http.ResponseWriter }

func (s soon) WriteHeader(status int) {
	if s.Header().Get("Retry-After") != "" {
		s.Header().Set("Retry-After", "0")
	}
	s.ResponseWriter.WriteHeader(status)
}
