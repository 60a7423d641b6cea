package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

const start = "/v1/batches/" + batID + "/start"

func TestOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		runs   int
	}{
		"done":        {nil, 200, 1},
		"illegal":     {&push.StateError{ID: batID, State: "sending", Op: "start"}, 409, 1},
		"not found":   {push.ErrNotFound, 404, 1},
		"failed":      {errors.New("disk"), 500, 2},
		"too slow":    {context.DeadlineExceeded, 503, 2},
		"interrupted": {context.Canceled, 503, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			runs := 0
			g.batches.fn = func(op string, id push.ID) (push.Notification, error) {
				runs++
				n, _ := moved(op, id)
				return n, c.err
			}
			first := g.do(t, "POST", start, "", "Idempotency-Key", "k")
			again := g.do(t, "POST", start, "", "Idempotency-Key", "k")
			if first.Code != c.status || again.Code != c.status || runs != c.runs {
				t.Errorf("executed %d times, want %d; answers %d and %d, want %d", runs, c.runs, first.Code, again.Code, c.status)
			}
			if replayed := again.Header().Get("Idempotency-Replayed") == "true"; replayed != (c.runs == 1) {
				t.Errorf("Idempotency-Replayed: %v", replayed)
			}
			if c.runs == 1 && first.Body.String() != again.Body.String() {
				t.Errorf("a repeat must get the first answer: %s, then %s", first.Body, again.Body)
			}
		})
	}
}

func TestOnceScope(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.do(t, "POST", start, "", "Idempotency-Key", "k").want(t, http.StatusOK, "")
	other := g.do(t, "POST", "/v1/batches/"+batID+"/pause", "", "Idempotency-Key", "k").want(t, http.StatusOK, "")
	if other.Header().Get("Idempotency-Replayed") != "" {
		t.Error("another route is another key")
	}
	const elsewhere = "/v1/batches/bat_01890a5d-ac96-774b-bcce-b302099a8059/start"
	g.do(t, "POST", elsewhere, "", "Idempotency-Key", "k").want(t, http.StatusUnprocessableEntity, codeKeyReused)
	g.do(t, "POST", start, "", "Idempotency-Key", "").want(t, http.StatusBadRequest, codeKeyInvalid)
}

// Of two requests with one key at the same time one executes, and the other
// waits for its answer, but not for ever.
func TestOnceConcurrently(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes  time.Duration
		status int
	}{
		"waits for the answer": {onceWait / 2, http.StatusOK},
		"gives up waiting":     {onceWait * 2, http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t, func(cfg *Config) { cfg.Now = time.Now })
				var runs atomic.Int32
				g.batches.fn = func(op string, id push.ID) (push.Notification, error) {
					runs.Add(1)
					time.Sleep(c.takes)
					return moved(op, id)
				}
				done := make(chan answer)
				go func() { done <- g.do(t, "POST", start, "", "Idempotency-Key", "k") }()
				synctest.Wait()
				second := g.do(t, "POST", start, "", "Idempotency-Key", "k")
				if first := <-done; first.Code != http.StatusOK || second.Code != c.status || runs.Load() != 1 {
					t.Errorf("answers %d and %d, executed %d times", first.Code, second.Code, runs.Load())
				}
				if c.status == http.StatusConflict && (second.problem.Code != string(codeInProgress) || second.Header().Get("Retry-After") == "") {
					t.Errorf("refused with %q, Retry-After %q", second.problem.Code, second.Header().Get("Retry-After"))
				}
			})
		})
	}
}

func TestOnceAfterPanic(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.batches.fn = func(string, push.ID) (push.Notification, error) { panic("bug") }
	g.do(t, "POST", start, "", "Idempotency-Key", "k").want(t, http.StatusInternalServerError, codeInternal)
	g.batches.fn = moved
	g.do(t, "POST", start, "", "Idempotency-Key", "k").want(t, http.StatusOK, "")
}

// When the answer can't be stored the work is done all the same.
func TestOnceUnstored(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.answers.fail = errors.New("disk")
	g.do(t, "POST", start, "", "Idempotency-Key", "k").want(t, http.StatusOK, "")
	if n := g.logs.FilterMessage("the answer of an idempotent request was not stored").Len(); n != 1 {
		t.Errorf("logged %d times", n)
	}
}
