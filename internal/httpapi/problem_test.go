package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

// The bodies of problems are an interface for programs: a change of one shows
// here. go test -run TestProblemFiles -update writes them anew.
func TestProblemFiles(t *testing.T) {
	t.Parallel()
	illegal := &push.StateError{ID: batID, State: "completed", Op: "pause", Legal: []string{"report"}}
	refused := &batch.RefusedError{Result: batch.Result{Invalid: 2, Faults: []batch.LineFault{{Line: 9, Fault: push.Fault{Pointer: "/token", Code: push.FaultValue, Detail: "must not be empty"}}}}}
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
		"upload_failed":           {"POST", recipients, "{}", errors.New("disk"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t)
			g.batches.fn = func(string, push.ID) (push.Notification, error) { return push.Notification{}, c.fail }
			g.batches.upload = failWith(c.fail)
			got := g.do(t, c.method, c.target, c.body, append(c.headers, "X-Request-Id", "req-1")...)
			if got.Header().Get("Content-Type") != typeProblem || got.problem.Status != got.Code {
				t.Errorf("status %d, media type %q: %s", got.Code, got.Header().Get("Content-Type"), got.Body)
			}
			golden(t, filepath.Join("testdata", "problems", name+".json"), got.Body.Bytes())
		})
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
		"/v1/devices/d":                        "GET, HEAD, PUT, DELETE",
		"/v1/devices/import":                   "GET, HEAD, POST, PUT, DELETE", // it is also a possible device id
		"/v1/batches/" + batID + "/recipients": "POST",
	} {
		for _, method := range []string{"PATCH", "OPTIONS", "BREW"} {
			got := g.do(t, method, target, "").want(t, http.StatusMethodNotAllowed, codeMethod)
			if got.Header().Get("Allow") != allow {
				t.Errorf("%s %s: Allow is %q, want %q", method, target, got.Header().Get("Allow"), allow)
			}
		}
	}
	for _, target := range []string{"/", "/v1", "/v1/notifications/", "/v1/notifications/a/b/c", "/openapi.yaml"} {
		g.do(t, "GET", target, "").want(t, http.StatusNotFound, codeNoRoute)
	}
}

// Every kind of problem has its own code, a title, and a status that HTTP knows.
func TestCodes(t *testing.T) {
	t.Parallel()
	titles := map[string]code{}
	for _, c := range codes() {
		status, title := c.facts()
		if http.StatusText(status) == "" || titles[title] != "" {
			t.Errorf("%s: status %d, title %q (also of %q)", c, status, title, titles[title])
		}
		titles[title] = c
	}
}
