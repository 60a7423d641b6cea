package remote

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// standing are the pauses that stand, by the end of their ids.
func standing() map[string]client.Pause {
	all := map[string]client.Pause{
		"everything": {What: "everything", Scope: client.PauseEverything},
		"acme":       {What: "tenant acme", Scope: client.PauseTenant, Tenant: "acme"},
		"shop":       {What: "app acme/shop", Scope: client.PauseApp, Tenant: "acme", App: "shop"},
		"bulk":       {What: "lane bulk", Scope: client.PauseLane, Lane: client.LaneBulk},
		"acme-bulk":  {What: "lane bulk of tenant acme", Scope: client.PauseLane, Tenant: "acme", Lane: client.LaneBulk},
		"spring":     {What: "label campaign=spring of tenant acme", Scope: client.PauseLabel, Tenant: "acme", Label: "campaign=spring"},
	}
	for id, p := range all {
		p.ID, p.By, p.Reason, p.Since = "pse_"+id, "ada", "leak", time.Now().Add(-time.Hour)
		all[id] = p
	}
	return all
}

// pauses answers for pauses: those of standing stand, and asking for another is not expected.
func (f *fakeAPI) pauses(w http.ResponseWriter, call string) bool {
	all := standing()
	id, lifted := strings.CutPrefix(call, "DELETE /v1/pauses/pse_")
	switch _, stands := all[id]; {
	case lifted && stands:
		w.WriteHeader(http.StatusNoContent)
	case call == "GET /v1/pauses":
		clitest.Say(w, http.StatusOK, client.PauseList{Items: slices.Collect(maps.Values(all))})
	case call == "POST /v1/pauses":
		var req client.PauseRequest
		_ = json.Unmarshal([]byte(f.bodies[call]), &req)
		for _, p := range all {
			if p.Scope == req.Scope && p.Lane == req.Lane && p.Label == req.Label && (req.Tenant == "" || p.Tenant == req.Tenant) {
				clitest.Say(w, http.StatusCreated, p)
				break
			}
		}
	default:
		return false
	}
	return true
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
	do(display.ExitOK, "app acme/shop", "pause", "--tenant", "acme", "--app", "shop")
	if got := api.bodies["POST /v1/pauses"]; got != `{"scope":"app","tenant":"acme","app":"shop"}` {
		t.Error(got)
	}
	do(display.ExitOK, "lane bulk", "pause", "--lane", "bulk")
	if got := api.bodies["POST /v1/pauses"]; got != `{"scope":"lane","lane":"bulk"}` {
		t.Error(got)
	}
	do(display.ExitOK, "label campaign=spring of tenant acme", "pause", "--label", "campaign=spring", "--reason", "price")
	if got := api.bodies["POST /v1/pauses"]; got != `{"scope":"label","label":"campaign=spring","reason":"price"}` {
		t.Error(got)
	}
	do(display.ExitOK, "app acme/shop", "pause")
	do(display.ExitUsage, "--everything is every lane and label", "pause", "--everything", "--lane", "bulk")
	do(display.ExitUsage, "a pause is of a lane or of a label", "pause", "--label", "campaign", "--lane", "bulk")
	do(display.ExitUsage, "--everything is of all tenants", "pause", "--everything", "--tenant", "acme")
	do(display.ExitUsage, "say what to pause", "pause", "--reason", "leak")
	do(display.ExitUsage, "--tenant is empty", "pause", "--tenant", "", "--lane", "bulk")
	do(display.ExitUsage, "--label is empty", "resume", "--tenant", "acme", "--label=")

	do(display.ExitOK, "tenant acme goes on; it was paused ", "resume", "--tenant", "acme")
	do(display.ExitOK, "everything goes on", "resume", "--everything")
	do(display.ExitOK, "app acme/shop goes on", "resume", "--app", "shop")
	do(display.ExitOK, "everything goes on", "resume", "pse_everything")
	do(display.ExitOK, "label campaign=spring of tenant acme goes on", "resume", "--label", "campaign=spring")
	do(display.ExitUsage, "label campaign is not paused; paused: ", "resume", "--label", "campaign")
	do(display.ExitOK, "lane bulk goes on", "resume", "--lane", "bulk")
	do(display.ExitOK, "lane bulk of tenant acme goes on", "resume", "--lane", "bulk", "--tenant", "acme")
	do(display.ExitUsage, "lane high is not paused; paused: ", "resume", "--lane", "high")
	do(display.ExitUsage, "tenant other is not paused; paused: ", "resume", "--tenant", "other")
	do(display.ExitUsage, "label team of app other/shop is not paused", "resume", "--tenant", "other", "--app", "shop", "--label", "team")
	do(display.ExitUsage, "lane bulk of app blog is not paused", "resume", "--app", "blog", "--lane", "bulk")
	do(display.ExitUsage, "there is no pause pse_nosuch; paused: ", "resume", "pse_nosuch")
	do(display.ExitUsage, "say which", "resume")
	do(display.ExitUsage, "say which", "resume", "pse_everything", "--everything")
	if n := len(slices.DeleteFunc(slices.Clone(api.calls), func(c string) bool { return !strings.HasPrefix(c, "DELETE") })); n != 7 {
		t.Errorf("%d pauses lifted: %v", n, api.calls)
	}
}

// Whoever resumes what is not paused learns what is.
func TestPausedNow(t *testing.T) {
	t.Parallel()
	if got := pausedNow(nil); got != "nothing is paused" {
		t.Error(got)
	}
	many := make([]client.Pause, 12)
	for i := range many {
		many[i].What = "tenant t" + strconv.Itoa(i)
	}
	if got := pausedNow(many[:2]); got != "paused: tenant t0, tenant t1" {
		t.Error(got)
	}
	if got := pausedNow(many); !strings.HasSuffix(got, "tenant t9 and 2 more (belfry pause lists them)") {
		t.Error(got)
	}
}
