package app

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/janitor"
)

// reportRestored tells the janitor and the audit log that the data directory holds an earlier state,
// because it was restored from a backup or lost a file.
func reportRestored(ctx context.Context, b *sqlite.Backend, dir string, auditKey config.Secret, log *zap.Logger) error {
	r := b.Restored()
	if r == nil {
		return nil
	}
	says := "what was open then is sent anew, and to whom it may have been sent since is flagged as a possible duplicate"
	if r.Mixed {
		says += "; not all files are of one moment, so what one of them knows of the others may be missing"
	}
	var files []string
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		files = append(files, name+" of "+r.Files[name].Format(time.RFC3339))
	}
	log.Warn("the data directory is a state of before", zap.Strings("files", files), zap.Int("flagged_chunks", r.Lines),
		zap.String("means", says))
	if err := janitor.Suspect(ctx, b.Store(), "restored", time.Now()); err != nil {
		return err
	}
	// Whoever restored it left no other trace: the first program that opens it says so.
	if err := RecordLocal(ctx, b.Store(), auditKey, audit.Entry{
		Action: "restored", Target: audit.Target{Kind: "store", ID: dir}, Reason: strings.Join(files, ", "),
	}); err != nil {
		return err
	}
	return b.Settled(ctx)
}
