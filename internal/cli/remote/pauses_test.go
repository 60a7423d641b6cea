package remote

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// paused is a pause of everything, a tenant, or tenant/app.
func paused(what string) client.Pause {
	p := client.Pause{ID: "pse_" + what, Scope: client.PauseEverything, By: "ada", Reason: "leak", Since: time.Now().Add(-time.Hour)}
	if what == "everything" {
		return p
	}
	p.Scope = client.PauseTenant
	if p.Tenant, p.App, _ = strings.Cut(what, "/"); p.App != "" {
		p.Scope = client.PauseApp
	}
	return p
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	do := func(code int, want string, args ...string) {
		t.Helper()
		belfry(t.Context(), api.URL, nil, args...).Expect(t, code, want)
	}
	do(display.ExitOK, "everything", "pause", "--everything", "--reason", "leak")
	if got := api.bodies["POST /v1/pauses"]; got != `{"scope":"everything","reason":"leak"}` {
		t.Error(got)
	}
	do(display.ExitOK, "everything", "pause", "--tenant", "acme", "--app", "shop")
	if got := api.bodies["POST /v1/pauses"]; got != `{"scope":"app","tenant":"acme","app":"shop"}` {
		t.Error(got)
	}
	do(display.ExitOK, "app acme/shop", "pause")
	do(display.ExitUsage, "--everything is of all tenants", "pause", "--everything", "--tenant", "acme")
	do(display.ExitUsage, "say what to pause", "pause", "--reason", "leak")

	do(display.ExitOK, "tenant acme goes on; it was paused ", "resume", "--tenant", "acme")
	do(display.ExitOK, "everything goes on", "resume", "--everything")
	do(display.ExitOK, "app acme/shop goes on", "resume", "--app", "shop")
	do(display.ExitOK, "everything goes on", "resume", "pse_everything")
	do(display.ExitUsage, "no such pause stands", "resume", "--tenant", "other")
	do(display.ExitUsage, "say which", "resume")
	do(display.ExitUsage, "say which", "resume", "pse_everything", "--everything")
	if n := len(slices.DeleteFunc(slices.Clone(api.calls), func(c string) bool { return !strings.HasPrefix(c, "DELETE") })); n != 4 {
		t.Errorf("%d pauses lifted: %v", n, api.calls)
	}
}
