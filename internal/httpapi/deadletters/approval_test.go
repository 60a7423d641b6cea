package deadletters

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/push"
)

// Above the tenant's limits a second person has to approve a replay or a discard, once for
// each request.
func TestSecondPerson(t *testing.T) {
	t.Parallel()
	directory := access.New(&documenttest.Memory{}, nil)
	if _, err := directory.ChangeTenant(t.Context(), access.DefaultName, func(x *access.Tenant) error {
		x.Settings.ApproveReplayOver, x.Settings.ApproveDiscardOver = new(int64(1)), new(int64(1))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	keys := access.NewKeys(map[string]string{"ada": access.DefaultName, "bob": access.DefaultName, "theirs": "other"})
	g := setup(t, func(c *config) { c.Auth, c.Approvals = keys, directory })
	ada := []string{"Authorization", "Bearer ada"}
	who := func(key string) *access.Caller {
		c, err := keys.Authenticate(t.Context(), access.Presented{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return &c
	}
	needed := func(path, body string) push.ID {
		t.Helper()
		got := g.Do(t, "POST", path, body, ada...).Want(t, http.StatusForbidden, door.CodeApproval)
		return push.ID(regexp.MustCompile(`apr_[0-9a-f-]{36}`).FindString(got.Body.String()))
	}
	with := func(id push.ID) []string { return append([]string{door.HeaderApproval, string(id)}, ada...) }

	var s client.Simulation
	doortest.Decode(t, g.Do(t, "POST", "/v1/simulations", `{"all":true}`, ada...).Want(t, http.StatusCreated, "").Body.Bytes(), &s)
	if s.Sends < 2 {
		t.Fatalf("the simulation sends %d, the test needs 2", s.Sends)
	}
	replay := `{"simulation":"` + s.ID + `"}`
	id := needed("/v1/replays", replay)
	if again := needed("/v1/replays", replay); again != id {
		t.Errorf("asked twice: %s and %s", id, again)
	}
	g.Do(t, "POST", "/v1/replays", replay, with(id)...).Want(t, http.StatusForbidden, door.CodeApproval)
	if _, err := directory.Decide(t.Context(), who("ada"), id, true); err == nil {
		t.Error("who asked has approved it")
	}
	if _, err := directory.Decide(t.Context(), who("theirs"), id, true); err == nil {
		t.Error("another tenant has approved it")
	}
	if _, err := directory.Decide(t.Context(), who("bob"), id, true); err != nil {
		t.Fatal(err)
	}
	discard := `{"all":true,"reason":"x"}`
	g.Do(t, "POST", lettersPath+"/discard", discard, with(id)...).Want(t, http.StatusForbidden, door.CodeApproval)
	g.Do(t, "POST", "/v1/replays", replay, with(id)...).Want(t, http.StatusCreated, "")
	used := g.Do(t, "POST", "/v1/replays", replay, with(id)...).Want(t, http.StatusForbidden, door.CodeApproval)
	if !strings.Contains(used.Body.String(), "used") {
		t.Errorf("used twice: %s", used.Body)
	}

	other := needed(lettersPath+"/discard", discard)
	if _, err := directory.Decide(t.Context(), who("bob"), other, false); err != nil {
		t.Fatal(err)
	}
	g.Do(t, "POST", lettersPath+"/discard", discard, with(other)...).Want(t, http.StatusForbidden, door.CodeApproval)
	g.Do(t, "POST", lettersPath+"/discard", discard, with("apr_none")...).Want(t, http.StatusForbidden, door.CodeApproval)
}
