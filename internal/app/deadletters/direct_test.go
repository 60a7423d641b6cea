package deadletters

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/config"
)

// A command on the data signs as the services do, or does nothing.
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
	if _, err := OpenDirect(t.Context(), c, "ann", zap.NewNop()); !errors.Is(err, journal.ErrOtherKey) {
		t.Errorf("without the key: %v", err)
	}
	c.AuditKey = secret
	d, err := OpenDirect(t.Context(), c, "ann", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
