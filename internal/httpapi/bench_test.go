package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
)

type instantIntake struct{}

func (instantIntake) Accept(_ context.Context, s ingest.Submission) (ingest.Accepted, error) {
	n := push.Notification{ID: ntfID, Tenant: s.Tenant, Priority: push.PriorityNormal, AcceptedAt: testNow()}
	return ingest.Accepted{Notification: n}, nil
}

// BenchmarkAccept is the door's own share of POST /v1/notifications: everything
// but the connection and the intake. Logging is off.
func BenchmarkAccept(b *testing.B) {
	g := setup(b, func(cfg *Config) {
		cfg.Intake, cfg.Log = instantIntake{}, zap.NewNop()
		cfg.Auth = access.NewKeys(map[string]string{"key": "shop"})
	})
	body := strings.NewReader(send)
	r := httptest.NewRequest(http.MethodPost, "/v1/notifications", body)
	r.Header.Set("Content-Type", door.TypeJSON)
	r.Header.Set("Content-Type", door.TypeJSON)
	r.Header.Set("Authorization", "Bearer key")
	r.Header.Set("Idempotency-Key", "k")
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(send)
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != http.StatusAccepted {
			b.Fatal(w.Code, w.Body)
		}
	}
}
