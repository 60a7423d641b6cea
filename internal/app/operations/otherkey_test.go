package operations

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/push"
)

// Commands on the data do not sign behind heads of a key that they were not given, and make none beside it. What they do
// to the data is done, and they say that the log does not tell of it; a restored directory is not opened.
func TestNoHeadOfAnotherKey(t *testing.T) {
	t.Parallel()
	store := embedded(t)
	secret := config.Secret(audit.FormatSecret(must(journal.NewKey())))
	b, err := app.Opener(store, zap.NewNop())(t.Context(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close(context.Background()) }()
	e := audit.Entry{Action: "backup", Target: audit.Target{Kind: "store", ID: store.Data}, Reason: "with the services' key"}
	if err := app.RecordLocal(t.Context(), b.Store, secret, e); err != nil {
		t.Fatal(err)
	}

	copied := filepath.Join(t.TempDir(), "copy")
	made, err := Operations{}.Backup(t.Context(), config.Backup{Store: store}, copied, nil)
	if !errors.Is(err, journal.ErrOtherKey) || made.Path != copied || !strings.Contains(err.Error(), "BELFRY_AUDIT_KEY") {
		t.Errorf("backup: %+v, %v", made, err)
	}
	repair := config.Repair{Store: store, Lost: config.LostMessages}
	if err := (Operations{}).Repair(t.Context(), repair); !errors.Is(err, journal.ErrOtherKey) {
		t.Errorf("repair: %v", err)
	}
	restored := store
	restored.Data = copied
	if b, err := app.Opener(restored, zap.NewNop())(t.Context(), prometheus.NewRegistry()); !errors.Is(err, journal.ErrOtherKey) {
		t.Errorf("restored: %v, %v", b, err)
	}
	if _, err := journal.StoredKeys(t.Context(), b.Store); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("a key was made: %v", err)
	}

	repair.Store.AuditKey = secret
	if err := (Operations{}).Repair(t.Context(), repair); err != nil {
		t.Error(err)
	}
	restored.AuditKey = secret
	if b, err := app.Opener(restored, zap.NewNop())(t.Context(), prometheus.NewRegistry()); err != nil {
		t.Error(err)
	} else if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
	ring := must(journal.ParseKeys(secret.Reveal()))
	heads, err := b.Store.AuditBlocks(t.Context(), access.DefaultName, 0, 100)
	if err != nil || len(heads) != 2 {
		t.Fatalf("%d blocks, %v", len(heads), err)
	}
	for i := range heads {
		if heads[i].Head.Key != audit.KeyID(ring.Public()[0]) {
			t.Errorf("head %d is signed with %s", heads[i].Head.Seq, heads[i].Head.Key)
		}
	}
}
