package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/push"
)

// The bodies of problems are an interface for programs: a change of one shows
// here. go test -run TestProblemFiles -update writes them anew.
func TestProblemFiles(t *testing.T) {
	t.Parallel()
	illegal := &push.StateError{ID: batID, State: "completed", Op: "pause", Legal: []string{"report"}}
	refused := &batch.RefusedError{
		Result: batch.Result{
			Invalid: 2,
			Faults:  []batch.LineFault{{Line: 9, Fault: push.Fault{Pointer: "/token", Code: push.FaultValue, Detail: "must not be empty"}}},
		},
	}
	for name, c := range map[string]struct {
		method, target, body string
		fail                 error // of the room
		headers              []string
	}{
		"malformed":               {"POST", "/v1/notifications", `{"to":`, nil, nil},
		"invalid":                 {"POST", "/v1/notifications", `{"to":{"tokens":["a b"]},"Priority":"high"}`, nil, nil},
		"invalid_query":           {"GET", "/v1/notifications?limit=0&page=2", "", nil, nil},
		"not_found":               {"GET", "/v1/batches/" + batID, "", nil, nil},
		"route_not_found":         {"GET", "/v2/notifications", "", nil, nil},
		"method_not_allowed":      {"DELETE", "/v1/notifications", "", nil, nil},
		"unsupported_media_type":  {"POST", "/v1/notifications", "a=b", nil, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		"body_too_large":          {"POST", "/v1/notifications", strings.Repeat(" ", maxBody+1), nil, nil},
		"idempotency_key_invalid": {"POST", "/v1/notifications", send, nil, []string{"Idempotency-Key", "\x01"}},
		"cursor_invalid":          {"GET", "/v1/notifications?cursor=bad", "", nil, nil},
		"illegal_state":           {"POST", start, "", illegal, nil},
		"conflict":                {"POST", start, "", push.ErrConflict, nil},
		"unavailable":             {"POST", start, "", errDeadline(), nil},
		"internal":                {"POST", start, "", errors.New("dial tcp 10.0.0.7: secret"), nil},
		"upload_gap":              {"POST", recipients + "?offset=12", "{}", &batch.GapError{Offset: 12, Watermark: 7}, nil},
		"upload_refused":          {"POST", recipients + "?all_or_nothing=true", "{}", refused, nil},
		"quota_exceeded":          {"POST", start, "", overQuota(), nil},
		"upload_failed":           {"POST", recipients, "{}", errors.New("disk"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.batches.fn = func(string, push.ID) (push.Notification, error) { return push.Notification{}, c.fail }
			g.batches.upload = failWith(c.fail)
			got := g.Do(t, c.method, c.target, c.body, append(c.headers, "X-Request-Id", "req-1")...)
			if got.Header().Get("Content-Type") != door.TypeProblem || got.Problem.Status != got.Code {
				t.Errorf("status %d, media type %q: %s", got.Code, got.Header().Get("Content-Type"), got.Body)
			}
			golden(t, filepath.Join("testdata", "problems", name+".json"), got.Body.Bytes())
		})
	}
}

func overQuota() error {
	return &push.OverQuotaError{
		Quota: push.QuotaRecipients, Policy: "day", Of: "tenant acme", Limit: 1000, Wanted: 12, Left: 7, After: 90 * time.Second,
	}
}

func golden(t *testing.T, path string, body []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, body, "", "  "); err != nil {
		t.Fatalf("not JSON: %v: %s", err, body)
	}
	if *update {
		if err := os.WriteFile(path, pretty.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestMethodNotAllowed(t *testing.T) {
	t.Parallel()
	g := setup(t)
	for target, allow := range map[string]string{
		"/v1/notifications":                    "GET, HEAD, POST",
		"/v1/notifications/" + ntfID:           "GET, HEAD",
		"/v1/devices/d":                        "GET, HEAD, PUT, PATCH, DELETE",
		"/v1/devices/import":                   "GET, HEAD, POST, PUT, PATCH, DELETE", // it is also a possible device id
		"/v1/batches/" + batID + "/recipients": "POST",
	} {
		for _, method := range []string{"TRACE", "OPTIONS", "BREW"} {
			got := g.Do(t, method, target, "").Want(t, http.StatusMethodNotAllowed, door.CodeMethod)
			if got.Header().Get("Allow") != allow {
				t.Errorf("%s %s: Allow is %q, want %q", method, target, got.Header().Get("Allow"), allow)
			}
		}
	}
	for _, target := range []string{"/v1", "/v1/notifications/a/b/c", "/openapi.yaml"} {
		g.Do(t, "GET", target, "").Want(t, http.StatusNotFound, door.CodeNoRoute)
	}
	for target, methods := range map[string]string{"/": "GET, HEAD", "/docs": "GET, HEAD", "/problems/conflict": "GET, HEAD"} {
		if got := g.Do(t, "POST", target, "").Want(t, http.StatusMethodNotAllowed, door.CodeMethod); got.Header().Get("Allow") != methods {
			t.Errorf("%s: Allow is %q", target, got.Header().Get("Allow"))
		}
	}
}

// A path with a segment that is empty, or made of dots, is a problem that says so
// with every method: net/http's mux would send the client elsewhere.
func TestOddPathsAreProblems(t *testing.T) {
	t.Parallel()
	g := setup(t)
	var targets []string
	for _, rt := range g.Routes() {
		for name := range strings.SplitSeq(rt.Path, "/") {
			if strings.HasPrefix(name, "{") {
				empty := strings.Replace(rt.Path, name, "", 1)
				targets = append(targets, samplePath(&door.Route{Path: empty}), samplePath(&door.Route{Path: strings.Replace(rt.Path, name, "..", 1)}))
			}
		}
	}
	targets = append(targets, "/v1//notifications", "/v1/./notifications", "//", "//v1/notifications", "/v1/notifications//", "/docs//docs.js")
	for _, target := range targets {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
			r := httptest.NewRequest(method, "/", nil)
			r.URL.Path = target
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			var p client.Problem
			doortest.Decode(t, w.Body.Bytes(), &p)
			if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != door.TypeProblem || p.Code != string(door.CodeNoRoute) {
				t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
			}
		}
	}
	for target, want := range map[string]string{
		"/v1/batches//start":           "segment 3 of the path is empty",
		"/v1/notifications/":           "slash at its end",
		"/v1/notifications/../batches": "segment 3 of the path is ..",
		"/nothing/":                    "GET /openapi.json",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = target
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s, want %q", target, w.Body, want)
		}
	}
}
