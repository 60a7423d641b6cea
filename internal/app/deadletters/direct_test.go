package deadletters

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/push"
)

// A command on the data signs as the services do, or does nothing that belongs into the audit log.
func TestDirectNeedsTheServicesKey(t *testing.T) {
	t.Parallel()
	key, err := journal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Store{Backend: config.BackendEmbedded, Data: t.TempDir(), Visibility: 30 * time.Second}
	b, err := app.Opener(c, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(context.Background()) }()
	secret := config.Secret(audit.FormatSecret(key))
	e := audit.Entry{Action: "backup", Target: audit.Target{Kind: "store", ID: c.Data}}
	if err := app.RecordLocal(t.Context(), b.Store, secret, e); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		key          config.Secret
		method, path string
		want         int
	}{
		{"", http.MethodGet, "/v1/status", http.StatusOK}, // not in the log
		{"", http.MethodGet, "/v1/dead-letters", http.StatusForbidden},
		{"", http.MethodPost, "/v1/simulations", http.StatusForbidden},
		{secret, http.MethodGet, "/v1/dead-letters", http.StatusOK},
	} {
		c.AuditKey = step.key
		d, err := OpenDirect(t.Context(), c, "ann", zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), step.method, DirectURL+step.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := d.HTTP().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close(), d.Close(t.Context())); err != nil {
			t.Error(err)
		}
		if resp.StatusCode != step.want || step.want == http.StatusForbidden && !strings.Contains(string(body), "BELFRY_AUDIT_KEY") {
			t.Errorf("%s %s with key %t: %d %s", step.method, step.path, !step.key.IsZero(), resp.StatusCode, body)
		}
	}
	if _, err := journal.StoredKeys(t.Context(), b.Store); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("a key was made: %v", err)
	}
}
