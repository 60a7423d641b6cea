package tenants

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/access"
)

// operation is what the API's document says of a route that needs a key.
type operation struct {
	Name       string `json:"operationId"`  //nolint:tagliatelle // OpenAPI's
	Permission string `json:"x-permission"` //nolint:tagliatelle // an extension of OpenAPI

	method string
}

// operations are those of the served document that need a key.
func (w *world) operations() []operation {
	w.t.Helper()
	resp, err := http.Get(w.url + "/openapi.json")
	w.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.must(err)
	var doc struct {
		Paths map[string]map[string]operation
	}
	w.must(json.Unmarshal(body, &doc))
	var all []operation
	for _, item := range doc.Paths {
		for method, op := range item {
			if op.Permission != "" {
				op.method = strings.ToUpper(method)
				all = append(all, op)
			}
		}
	}
	return all
}

// refused are statuses that say: not for you.
func refused(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound
}

// TestMatrix asks every route of the API's document as every kind of caller for what acme has. A
// route without a row fails.
func TestMatrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	table, asked := rows(), 0
	for _, op := range w.operations() {
		r, ok := table[op.Name]
		if !ok {
			t.Errorf("%s has no row: add one, and decide what another tenant's callers get", op.Name)
			continue
		}
		delete(table, op.Name)
		for who, want := range w.expected(&op, &r) {
			asked++
			status, problem := w.ask(w.keyOf(who), op.method, r.path(w), r.body, r.kind)
			switch {
			case want == 0 && refused(status) && (!r.missing || status != http.StatusNotFound):
				t.Errorf("%s as %s: %d, want it let in: %s", op.Name, who, status, problem)
			case want != 0 && status != want:
				t.Errorf("%s as %s: %d, want %d: %s", op.Name, who, status, want, problem)
			case strings.Contains(problem, "secret"):
				t.Errorf("%s as %s shows what is another's: %s", op.Name, who, problem)
			}
		}
	}
	for name := range table {
		t.Errorf("there is no operation %s any more: remove its row", name)
	}
	t.Logf("%d combinations of route and caller", asked)
}

func (w *world) keyOf(who string) string {
	if who == "root" {
		return w.root
	}
	return w.keys[who]
}

// expected is what each caller gets: a status, or 0 if it is let in.
func (w *world) expected(op *operation, r *row) map[string]int {
	needs := access.Permission(op.Permission)
	out := map[string]int{}
	may := func(set access.Set, then int) int {
		if r.platform || !set.Has(needs) {
			return http.StatusForbidden
		}
		return then
	}
	for _, who := range []string{"none", "malformed", "unknown", "revoked", "expired"} {
		out[who] = http.StatusUnauthorized
	}
	for _, role := range access.BuiltinRoles() {
		out[role.Name] = may(role.Set(), 0)
	}
	for _, s := range access.Scopes() {
		out["scope "+string(s)] = may(s.Permissions(), 0)
	}
	out["rival"] = may(access.AllPermissions(), r.rival)
	out["limited"] = may(access.AllPermissions()&^access.SetOf(access.PermAudit, access.PermApprove, access.PermPrivacy), r.limited)
	if r.platform {
		out["root"] = 0
	}
	return out
}
