package door_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/push"
)

func TestOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		runs   int
	}{
		"done":        {nil, 200, 1},
		"illegal":     {&push.StateError{ID: "thing", State: "sending", Op: "start"}, 409, 1},
		"not found":   {push.ErrNotFound, 404, 1},
		"failed":      {errors.New("disk"), 500, 2},
		"too slow":    {context.DeadlineExceeded, 503, 2},
		"interrupted": {context.Canceled, 503, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			runs := 0
			g.run = func(context.Context) error {
				runs++
				return c.err
			}
			first := g.Do(t, "POST", start, "", "Idempotency-Key", "k")
			again := g.Do(t, "POST", start, "", "Idempotency-Key", "k")
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
	g.Do(t, "POST", start, "", "Idempotency-Key", "k").Want(t, http.StatusOK, "")
	other := g.Do(t, "POST", "/things/a/stop", "", "Idempotency-Key", "k").Want(t, http.StatusOK, "")
	if other.Header().Get("Idempotency-Replayed") != "" {
		t.Error("another route is another key")
	}
	const elsewhere = "/things/b/start"
	g.Do(t, "POST", elsewhere, "", "Idempotency-Key", "k").Want(t, http.StatusUnprocessableEntity, door.CodeKeyReused)
	g.Do(t, "POST", start, "", "Idempotency-Key", "").Want(t, http.StatusBadRequest, door.CodeKeyInvalid)
}

// Of two requests with one key at the same time one executes, and the other
// waits for its answer, but not for ever.
func TestOnceConcurrently(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes  time.Duration
		status int
	}{
		"waits for the answer": {door.OnceWait / 2, http.StatusOK},
		"gives up waiting":     {door.OnceWait * 2, http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := setup(t)
				var runs atomic.Int32
				g.run = func(context.Context) error {
					runs.Add(1)
					time.Sleep(c.takes)
					return nil
				}
				done := make(chan doortest.Answer)
				go func() { done <- g.Do(t, "POST", start, "", "Idempotency-Key", "k") }()
				synctest.Wait()
				second := g.Do(t, "POST", start, "", "Idempotency-Key", "k")
				if first := <-done; first.Code != http.StatusOK || second.Code != c.status || runs.Load() != 1 {
					t.Errorf("answers %d and %d, executed %d times", first.Code, second.Code, runs.Load())
				}
				if c.status == http.StatusConflict && (second.Problem.Code != string(door.CodeInProgress) || second.Header().Get("Retry-After") == "") {
					t.Errorf("refused with %q, Retry-After %q", second.Problem.Code, second.Header().Get("Retry-After"))
				}
			})
		})
	}
}

func TestOnceAfterPanic(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.run = func(context.Context) error { panic("bug") }
	g.Do(t, "POST", start, "", "Idempotency-Key", "k").Want(t, http.StatusInternalServerError, door.CodeInternal)
	g.run = func(context.Context) error { return nil }
	g.Do(t, "POST", start, "", "Idempotency-Key", "k").Want(t, http.StatusOK, "")
}

// When the answer can't be stored the work is done all the same.
func TestOnceUnstored(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.answers.Fail = errors.New("disk")
	g.Do(t, "POST", start, "", "Idempotency-Key", "k").Want(t, http.StatusOK, "")
	if n := g.logs.FilterMessage("the answer of an idempotent request was not stored").Len(); n != 1 {
		t.Errorf("logged %d times", n)
	}
}
