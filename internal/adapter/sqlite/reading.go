package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/audits"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/documents"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Reading is the configuration and the audit log of a data directory, for somebody who must change nothing: no schema, and
// no mark of a restored state. Processes may use the directory meanwhile. Safe for concurrent use.
type Reading struct {
	*configuration
	*auditLog

	file *db.DB
}

var (
	_ document.Store = (*Reading)(nil)
	_ audit.Log      = (*Reading)(nil)
)

var (
	errOtherSchema = errors.New("its files have not the schema of this program")
	errReading     = push.WithOutage(push.OutageReadOnly, errors.New("the data directory is open for reading alone"))
)

// Read opens a data directory for reading alone. The error is push.ErrNotFound if nothing was ever stored in it.
func Read(ctx context.Context, dir string) (*Reading, error) {
	files, err := examine(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	f := files[slices.IndexFunc(files, func(f *dataView) bool { return f.name == storeFile })]
	switch {
	case f.blank():
		return nil, fmt.Errorf("read %s: %w", dir, push.ErrNotFound)
	case f.version != len(f.steps):
		return nil, fmt.Errorf("read %s: %w", dir, errOtherSchema)
	}
	file, err := db.OpenForReading(ctx, filepath.Join(dir, storeFile), f.log)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", dir, err)
	}
	return &Reading{configuration: documents.New(file), auditLog: audits.New(file), file: file}, nil
}

// Close closes the file.
func (r *Reading) Close() error { return r.file.Close() }

// PutDocument fails.
func (r *Reading) PutDocument(context.Context, document.Document) error { return errReading }

// DeleteDocument fails.
func (r *Reading) DeleteDocument(context.Context, string, string, int64) error { return errReading }

// AppendAudit fails.
func (r *Reading) AppendAudit(context.Context, audit.Block) error { return errReading }
