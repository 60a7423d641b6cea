package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// samplePath fills a route's path with ids that have the right form.
func samplePath(rt *route) string {
	id := ntfID
	if strings.Contains(rt.path, "batches") {
		id = batID
	}
	return strings.NewReplacer("{id}", id, "{device_id}", "d", "{recipient}", "line:1").Replace(rt.path)
}

// The document and the mux have the same operations: each is asked for those
// of the other.
func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	g := setup(t)
	documented := 0
	for path, item := range g.spec.doc.Paths {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			op := operationOf(item, method)
			r := httptest.NewRequest(method, samplePath(&route{path: path}), nil)
			_, pattern := g.mux.Handler(r)
			if (op.OperationID != "") != (pattern == method+" "+path) {
				// GET /v1/devices/import is GET /v1/devices/{device_id}.
				if op.OperationID != "" || !strings.HasSuffix(pattern, "/{device_id}") {
					t.Errorf("%s %s: in the document %q, in the mux %q", method, path, op.OperationID, pattern)
				}
			}
			if op.OperationID != "" {
				documented++
			}
		}
	}
	if documented != len(g.routes) {
		t.Errorf("%d operations are documented, %d are routed", documented, len(g.routes))
	}
	for _, rt := range g.routes {
		if op := operationOf(g.spec.doc.Paths[rt.path], rt.method); op.OperationID != rt.name || op.Summary == "" {
			t.Errorf("%s: documented as %+v", rt.pattern(), op)
		}
	}
}

// What the issue asks for, by name.
func TestRoutesByName(t *testing.T) {
	t.Parallel()
	g := setup(t)
	var got []string
	for _, rt := range g.routes {
		got = append(got, rt.pattern())
	}
	slices.Sort(got)
	want := strings.Split(strings.TrimSpace(`
DELETE /v1/devices/{device_id}
GET /healthz
GET /metrics
GET /openapi.json
GET /readyz
GET /v1/batches/{id}
GET /v1/batches/{id}/events
GET /v1/batches/{id}/report
GET /v1/devices
GET /v1/devices/{device_id}
GET /v1/notifications
GET /v1/notifications/{id}
GET /v1/notifications/{id}/deliveries
GET /v1/notifications/{id}/deliveries/{recipient}
GET /v1/notifications/{id}/events
POST /v1/batches
POST /v1/batches/{id}/cancel
POST /v1/batches/{id}/pause
POST /v1/batches/{id}/recipients
POST /v1/batches/{id}/resume
POST /v1/batches/{id}/start
POST /v1/devices/import
POST /v1/devices/{device_id}/restore
POST /v1/events
POST /v1/notifications
POST /v1/notifications/{id}/cancel
PUT /v1/devices/{device_id}`), "\n")
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestServedDocument(t *testing.T) {
	t.Parallel()
	got := setup(t).do(t, "GET", "/openapi.json", "").want(t, http.StatusOK, "")
	var doc struct {
		OpenAPI    string
		Info       struct{ Version string }
		Paths      map[string]any
		Components struct{ Schemas map[string]any }
	}
	decode(t, got.Body.Bytes(), &doc)
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
	for _, rt := range g.routes {
		for i := range rt.params {
			p := &rt.params[i]
			s := p.schema()
			if s.Default != nil {
				b, _ := json.Marshal(s.Default)
				if why := p.fault(strings.Trim(string(b), `"`)); why != "" {
					t.Errorf("%s ?%s: the default %s", rt.pattern(), p.name, why)
				}
			}
			for _, v := range s.Enum {
				if why := p.fault(v.(string)); why != "" {
					t.Errorf("%s ?%s: %v %s", rt.pattern(), p.name, v, why)
				}
			}
			if p.fault(strings.Repeat("x", maxTextParam+1)) == "" {
				t.Errorf("%s ?%s takes anything", rt.pattern(), p.name)
			}
		}
	}
}
