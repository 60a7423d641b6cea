package live

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/wire"
)

// tells serves events once, and is then another program, so that the tail ends.
func tells(t *testing.T, stream string) string {
	t.Helper()
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked > 1 {
			if got := r.Header.Get("Last-Event-ID"); got != "a.9" {
				t.Errorf("it goes on from %q", got)
			}
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"status":403,"code":"forbidden","title":"Not allowed","detail":"the key has ended"}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, "retry: 1\n\n"+stream+"id: a.9\n\n")
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return srv.URL
}

// event is one of a stream.
func event(t *testing.T, kind client.TailKind, subject string, data wire.Data) string {
	t.Helper()
	e, err := wire.NewEvent("belfry", subject, "", at, data)
	if err != nil {
		t.Fatal(err)
	}
	body, err := wire.EncodeEvent(&e)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("id: a.1\nevent: %s\ndata: %s\n\n", kind, body)
}

// Lines fit 80 columns and have whole ids; a connection that breaks is told.
func TestTail(t *testing.T) {
	t.Parallel()
	const id = "ntf_27d52442-60ea-8d19-8b58-a9a632093e43"
	stream := event(t, client.TailAccepted, id, wire.Accepted{ID: id, Tenant: "acme", App: "shop", Lane: "high", Sources: 3}) +
		event(t, client.TailOutcome, id, wire.Outcome{ID: id, Tenant: "acme", ByCode: map[string]int64{"sent": 498, "fcm.unregistered": 2}}) +
		"event: gap\ndata: {\"events\":31}\n\nevent: gap\ndata: {\"events\":null}\n\n" +
		event(t, client.TailBreaker, "shop-prod", wire.BreakerChanged{Credential: "shop-prod", From: "closed", To: "open"}) +
		event(t, client.TailReplay, "rpl_1", wire.ReplayChanged{ID: "rpl_1", State: "stopped", Why: strings.Repeat("many failed again ", 9)}) +
		event(t, client.TailAudit, "acme", wire.Audited{Action: "pauseBatch", Tenant: "acme", Who: "ada"})
	r := belfry(t, "tail", "--api", tells(t, stream))
	r.Expect(t, display.ExitFailure, id, "31 events are missing here", "connecting again", "the key has ended")
	clitest.Fits(t, "tail", r.Out, 80)
	clitest.Golden(t, "tail.txt", r.Out)
	r = belfry(t, "tail", "-o", "json", "--api", tells(t, stream))
	if n := strings.Count(r.Out, "\n"); n != 7 || !strings.Contains(r.Out, `"missing":{"events":31}`) {
		t.Errorf("%d lines: %s", n, r.Out)
	}
	belfry(t, "tail", "--type", "nonsense").Expect(t, display.ExitUsage, "accepted")
}

// Nothing that the server says drives the terminal, or makes lines of its own.
func TestTailHostile(t *testing.T) {
	t.Parallel()
	const evil = "\x1b[31mred\nline\u202e\u0007"
	r := belfry(t, "tail", "--api", tells(t, event(t, client.TailAudit, evil, wire.Audited{Action: evil, Tenant: evil, Who: evil})))
	if strings.ContainsAny(r.Out+r.Err, "\x1b\u202e\u0007") || strings.Count(r.Out, "\n") != 1 {
		t.Errorf("%q", r.Out)
	}
}
