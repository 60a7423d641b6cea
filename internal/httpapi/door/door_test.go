package door_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
)

func TestPanic(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.run = func(context.Context) error { panic("secret bug") }
	got := g.Do(t, "POST", start, "", "X-Request-Id", "r1").Want(t, http.StatusInternalServerError, door.CodeInternal)
	if strings.Contains(got.Body.String(), "secret") {
		t.Errorf("the answer tells of the panic: %s", got.Body)
	}
	logged := g.logs.FilterMessage("a handler panicked").All()
	if len(logged) != 1 || logged[0].ContextMap()["request_id"] != "r1" ||
		!strings.Contains(fmt.Sprint(logged[0].ContextMap()["stack"]), "TestPanic") {
		t.Errorf("logged %v", logged)
	}
}

// A deadline stands while a body is read, moves along with an upload, and is
// gone afterwards: it would look like the client's leaving.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for target, body := range map[string]struct{ kind, text string }{
		things: {door.TypeJSON, "{}"}, lines: {door.TypeNDJSON, strings.Repeat("{}\n", 1000)},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			setup(t).ServeHTTP(w, doortest.Posted(target, body.kind, body.text))
			if n := len(w.read); n < 2 || w.read[0].IsZero() || !w.read[n-1].IsZero() {
				t.Errorf("read deadlines: %v", w.read)
			}
			if len(w.write) != 1 || w.write[0].IsZero() {
				t.Errorf("write deadlines: %v", w.write)
			}
		})
	}
}

// A body that no handler reads has its deadline too: net/http reads on to the
// end of it before the next request. A request without a body must have none.
func TestUnreadBody(t *testing.T) {
	t.Parallel()
	g := setup(t, func(cfg *door.Config) { cfg.Auth = access.NewKeys(map[string]string{"k": "t"}) })
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	g.ServeHTTP(w, doortest.Posted(things, door.TypeJSON, "{}"))
	if w.Code != http.StatusUnauthorized || len(w.read) != 1 || w.read[0].IsZero() {
		t.Errorf("status %d, read deadlines: %v", w.Code, w.read)
	}
	w = &deadlines{ResponseRecorder: httptest.NewRecorder()}
	g.ServeHTTP(w, httptest.NewRequest(http.MethodGet, things, nil))
	if len(w.read) != 0 {
		t.Errorf("without a body: %v", w.read)
	}
}

// deadlines records what a handler does to its connection's deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.read = append(d.read, t); return nil }

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = append(d.write, t); return nil }
