package door_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
)

// hesitant is a body that comes late.
type hesitant struct {
	io.Reader
	after time.Duration
}

func (h *hesitant) Read(p []byte) (int, error) {
	time.Sleep(h.after)
	h.after = 0
	return h.Reader.Read(p)
}

// A request waits for a store for its budget, and then says when to come back.
// How long its body took is not counted.
func TestRequestsHaveABudget(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]time.Duration{"body at once": 0, "slow body": door.BodyPatience - time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.run = func(ctx context.Context) error { // a store that does not answer
				<-ctx.Done()
				return ctx.Err()
			}
			synctest.Test(t, func(t *testing.T) {
				r := doortest.Posted(things, door.TypeJSON, "{}")
				r.Body = io.NopCloser(&hesitant{Reader: r.Body, after: body})
				w, begun := httptest.NewRecorder(), time.Now()
				g.ServeHTTP(w, r)
				if took := time.Since(begun); took != body+door.RequestTime {
					t.Errorf("answered after %s, want %s", took, body+door.RequestTime)
				}
				if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
					t.Errorf("status %d with Retry-After %q: %s", w.Code, w.Header().Get("Retry-After"), w.Body)
				}
			})
		})
	}
}
