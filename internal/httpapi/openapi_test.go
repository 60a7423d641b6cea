package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
)

// samplePath fills a route's path with ids that have the right form.
func samplePath(rt *door.Route) string {
	id := ntfID
	if strings.Contains(rt.Path, "api-keys") {
		id = "7k2m9x4c1q0z"
	}
	if strings.Contains(rt.Path, "batches") {
		id = batID
	}
	return strings.NewReplacer(
		"{id}", id, "{device_id}", "d", "{recipient}", "line:1", "{code}", "invalid", "{file}", "docs.js",
		"{tenant}", "acme", "{app}", "shop", "{role}", "support",
	).Replace(rt.Path)
}

// The document and the mux have the same operations: each is asked for those
// of the other.
func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	g := setup(t)
	documented := 0
	for path, item := range g.Spec.Doc.Paths {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			op := doortest.OperationOf(item, method)
			r := httptest.NewRequest(method, samplePath(&door.Route{Path: path}), nil)
			pattern := g.PatternOf(r)
			if (op.OperationID != "") != (pattern == (&door.Route{Method: method, Path: path}).Pattern()) {
				// GET /v1/devices/import is GET /v1/devices/{device_id}.
				if op.OperationID != "" || !strings.HasSuffix(pattern, "id}") {
					t.Errorf("%s %s: in the document %q, in the mux %q", method, path, op.OperationID, pattern)
				}
			}
			if op.OperationID != "" {
				documented++
			}
		}
	}
	if documented != len(g.Routes()) {
		t.Errorf("%d operations are documented, %d are routed", documented, len(g.Routes()))
	}
	for _, rt := range g.Routes() {
		if op := doortest.OperationOf(g.Spec.Doc.Paths[rt.Path], rt.Method); op.OperationID != rt.Name || op.Summary == "" {
			t.Errorf("%s: documented as %+v", rt.Pattern(), op)
		}
	}
}

// What the issue asks for, by name.
func TestRoutesByName(t *testing.T) {
	t.Parallel()
	g := setup(t)
	var got []string
	for _, rt := range g.Routes() {
		got = append(got, rt.Pattern())
	}
	slices.Sort(got)
	want := strings.Split(strings.TrimSpace(`
DELETE /v1/api-keys/{id}
DELETE /v1/api-keys/{id}/signing
DELETE /v1/apps/{app}
DELETE /v1/devices/{device_id}
DELETE /v1/roles/{role}
DELETE /v1/tenants/{tenant}
DELETE /v1/apps/{app}/credential
DELETE /v1/tenants/{tenant}/apps/{app}/credential
DELETE /v1/pauses/{id}
GET /console
GET /console/assets/{file}
GET /console/session
POST /console/session
DELETE /console/session
GET /docs
GET /docs/{file}
GET /healthz
GET /metrics
GET /openapi.json
GET /problems
GET /problems/{code}
GET /readyz
GET /v1/apps/{app}/credential
GET /v1/audit
GET /v1/audit/export
GET /v1/audit/tenants
GET /v1/api-keys
GET /v1/api-keys/{id}
GET /v1/apps
GET /v1/apps/{app}
GET /v1/batches/{id}
GET /v1/batches/{id}/events
GET /v1/batches/{id}/report
GET /v1/breakers
GET /v1/configuration
GET /v1/credentials
GET /v1/dead-letters
GET /v1/dead-letters/export
GET /v1/dead-letters/groups
GET /v1/dead-letters/stats
GET /v1/dead-letters/{id}
GET /v1/devices
GET /v1/devices/{device_id}
GET /v1/events
GET /v1/notifications
GET /v1/notifications/{id}
GET /v1/notifications/{id}/deliveries
GET /v1/notifications/{id}/deliveries/{recipient}
GET /v1/notifications/{id}/events
GET /v1/notifications/{id}/traces
GET /v1/pauses
GET /v1/platform
GET /v1/quotas
GET /v1/replays
GET /v1/replays/{id}
GET /v1/roles
GET /v1/simulations/{id}
GET /v1/status
GET /v1/usage
GET /v1/tenants
GET /v1/tenants/{tenant}
GET /v1/tenants/{tenant}/apps/{app}/credential
GET /{$}
PATCH /v1/apps/{app}
PATCH /v1/devices/{device_id}
PATCH /v1/tenants/{tenant}
POST /v1/api-keys
POST /v1/api-keys/{id}/rotate
POST /v1/apps
POST /v1/batches
POST /v1/batches/{id}/cancel
POST /v1/batches/{id}/pause
POST /v1/batches/{id}/recipients
POST /v1/batches/{id}/resume
POST /v1/batches/{id}/start
POST /v1/breakers/{credential}/close
POST /v1/breakers/{credential}/open
POST /v1/breakers/{credential}/reset
POST /v1/dead-letters/discard
POST /v1/dead-letters/drain
POST /v1/dead-letters/import
POST /v1/devices/import
POST /v1/devices/{device_id}/restore
POST /v1/events
POST /v1/notifications
POST /v1/notifications/{id}/cancel
POST /v1/notifications/{id}/pause
POST /v1/notifications/{id}/resume
POST /v1/pauses
POST /v1/replays
POST /v1/replays/{id}/cancel
POST /v1/replays/{id}/pause
POST /v1/replays/{id}/resume
POST /v1/roles
POST /v1/simulations
PUT /v1/apps/{app}/credential
PUT /v1/tenants/{tenant}/apps/{app}/credential
POST /v1/tenants
PUT /v1/api-keys/{id}/signing
PUT /v1/devices/{device_id}
PUT /v1/platform`), "\n")
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestServedDocument(t *testing.T) {
	t.Parallel()
	got := setup(t).Do(t, "GET", "/openapi.json", "").Want(t, http.StatusOK, "")
	var doc struct {
		OpenAPI    string
		Info       struct{ Version string }
		Paths      map[string]any
		Components struct{ Schemas map[string]any }
	}
	doortest.Decode(t, got.Body.Bytes(), &doc)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Version != "v1.2.3" || len(doc.Paths) == 0 {
		t.Errorf("openapi %q, version %q, %d paths", doc.OpenAPI, doc.Info.Version, len(doc.Paths))
	}
	refs := regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(got.Body.String(), -1)
	if len(refs) == 0 {
		t.Error("no references")
	}
	for _, ref := range refs {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("%s has no schema", ref[1])
		}
	}
}

// What the document says of a parameter is what is checked: its default and its
// bounds are taken, and one more is not.
func TestDocumentedParameters(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for _, rt := range g.Routes() {
		for i := range rt.Params {
			p := &rt.Params[i]
			s := p.Schema()
			if s.Default != nil {
				b, _ := json.Marshal(s.Default)
				if why := p.Fault(strings.Trim(string(b), `"`)); why != "" {
					t.Errorf("%s ?%s: the default %s", rt.Pattern(), p.Name, why)
				}
			}
			for _, v := range s.Enum {
				if why := p.Fault(v.(string)); why != "" {
					t.Errorf("%s ?%s: %v %s", rt.Pattern(), p.Name, v, why)
				}
			}
			if p.Fault(strings.Repeat("x", door.MaxText+1)) == "" {
				t.Errorf("%s ?%s takes anything", rt.Pattern(), p.Name)
			}
		}
	}
}
