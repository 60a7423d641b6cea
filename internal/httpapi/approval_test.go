package httpapi

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

// Where an app's settings ask for a second person, its credential is given, changed and removed with one only: also by
// the platform's operator. The approval is for this file and this app.
func TestSecondPersonForCredentials(t *testing.T) {
	t.Parallel()
	keys := access.NewKeys(map[string]string{"ada": "acme", "bob": "acme", "root": access.DefaultName})
	directory := access.New(&documenttest.Memory{}, nil)
	g := setup(t, func(c *Config) { c.Auth, c.Directory, c.Approvals = keys, directory, directory })
	acme := access.Tenant{Name: "acme", Profile: access.Profile{Settings: access.Settings{ApproveCredentialChange: new(true)}}}
	if _, err := directory.CreateTenant(t.Context(), acme, "test"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shop", "bank"} {
		if _, err := directory.CreateApp(t.Context(), access.App{Tenant: "acme", Name: name}, "test"); err != nil {
			t.Fatal(err)
		}
	}
	const shop, bank = "/v1/apps/shop/credential", "/v1/apps/bank/credential"
	file, other := aFile(t, "shop-prod"), aFile(t, "shop-test")
	do := func(key, method, path, body, approval string, want int) string {
		t.Helper()
		more := []string{"Authorization", "Bearer " + key}
		if body != "" {
			more = append(more, "Content-Type", door.TypeJSON)
		}
		if approval != "" {
			more = append(more, door.HeaderApproval, approval)
		}
		got, code := g.Do(t, method, path, body, more...), door.Code("")
		if want == http.StatusForbidden {
			code = door.CodeApproval
		}
		return regexp.MustCompile(`apr_[0-9a-f-]{36}`).FindString(got.Want(t, want, code).Body.String())
	}
	const refused = http.StatusForbidden
	given := do("ada", "PUT", shop, file, "", refused)
	g.Do(t, "GET", shop, "", "Authorization", "Bearer ada").Want(t, http.StatusNotFound, door.CodeNotFound)
	do("root", "PUT", "/v1/tenants/acme/apps/shop/credential", file, "", refused)
	do("bob", "POST", "/v1/approvals/"+given+"/approve", "", "", http.StatusOK)
	do("ada", "PUT", shop, other, given, refused)
	do("ada", "PUT", bank, file, given, refused)
	do("ada", "DELETE", shop, "", given, refused)
	do("ada", "PUT", shop, file, given, http.StatusOK)
	do("ada", "PUT", shop, file, given, refused)

	gone := do("ada", "DELETE", shop, "", "", refused)
	do("bob", "POST", "/v1/approvals/"+gone+"/approve", "", "", http.StatusOK)
	do("ada", "DELETE", shop, "", gone, http.StatusNoContent)
}
