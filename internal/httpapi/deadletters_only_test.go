package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/httpapi/deadletters/deadletterstest"
	"github.com/belfry-push/belfry/internal/httpapi/door"
)

const lettersPath = "/v1/dead-letters"

// The door of the backend has the same routes without the rest.
func TestNewDeadLetters(t *testing.T) {
	t.Parallel()
	g := setup(t)
	kept, replays := deadletterstest.Rooms(t)
	h, err := NewDeadLetters(Direct{
		Letters: kept, Replays: replays, Answers: g.answers, Audit: g.audit, AuditLog: g.cfg.AuditLog, User: "ada", Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{
		lettersPath: 200, "/v1/replays": 200, "/v1/audit": 200, "/v1/notifications": 404, "/metrics": 404,
	} {
		got := httptest.NewRecorder()
		h.ServeHTTP(got, httptest.NewRequest(http.MethodGet, target, nil))
		if got.Code != want || !json.Valid(got.Body.Bytes()) {
			t.Errorf("%s: %d %s", target, got.Code, got.Body)
		}
	}
}

// A backend without dead letters has no such routes.
func TestWithoutDeadLetters(t *testing.T) {
	t.Parallel()
	g := setup(t, func(c *Config) { c.Letters = nil })
	g.Do(t, "GET", lettersPath, "").Want(t, http.StatusNotFound, door.CodeNoRoute)
}
