package live

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// What the commands of breakers print fits 80 columns, whatever credentials are called and whoever holds them, and so do errors.
func TestBreakerFits(t *testing.T) {
	t.Parallel()
	held := client.Breaker{
		Credential: "a-firebase-project-with-a-long-name/key-9f86d081", Apps: []string{"acme/shop", "zoo/default"}, Processes: 3, State: "open",
		Since: before(time.Hour), Override: &client.BreakerOverride{
			State: "open", By: "key:81cf37ff", Reason: strings.Repeat("an incident at FCM ", 9), Since: *before(time.Hour), Until: after(time.Hour),
		},
	}
	reset := held
	reset.Override = nil
	unused := held
	unused.Processes = 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			clitest.Say(w, http.StatusOK, client.BreakerList{Items: []client.Breaker{held, reset, unused}})
		case strings.HasSuffix(r.URL.Path, "/reset"):
			clitest.Say(w, http.StatusOK, reset)
		case strings.HasSuffix(r.URL.Path, "/close"):
			clitest.Say(w, http.StatusOK, unused)
		default:
			clitest.Say(w, http.StatusOK, held)
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	for args, want := range map[string]string{
		"breaker":                   "forced open",
		"breaker open x --for 30m":  "dispatchers follow within seconds",
		"breaker close x --for 30m": "no dispatcher that runs sends with it at present",
		"breaker reset x":           "decides by itself",
	} {
		r := belfry(t, append(strings.Fields(args), "--api", srv.URL)...)
		r.Expect(t, display.ExitOK, want, held.Credential[:12])
		clitest.Fits(t, args, r.Out, 80)
	}
}
