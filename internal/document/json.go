package document

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Load reads a document's body into into, and returns its version. The error is
// push.ErrNotFound when it is absent.
func Load(ctx context.Context, s Store, kind, name string, into any) (int64, error) {
	d, err := s.Document(ctx, kind, name)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(d.Body, into); err != nil {
		return 0, fmt.Errorf("read %s %s: %w", kind, name, err)
	}
	return d.Version, nil
}

// Save stores v as the given version of a document, on condition that the version
// before it is stored (0: the document is absent), else push.ErrConflict.
func Save(ctx context.Context, s Store, kind, name string, version int64, v any, now time.Time) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", kind, name, err)
	}
	return s.PutDocument(ctx, Document{Kind: kind, Name: name, Version: version, Body: body, UpdatedAt: now})
}
