package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// The kinds of document that the room keeps.
const (
	kindSimulation = "simulation"
	kindRun        = "replay"
	kindPulse      = "replay-pulse" // of the run of that name
	kindRetention  = "retention"
	kindMended     = "mended" // how far the letters have been looked through for damage
)

// load reads a document of ours and returns its version.
func (r *Room) load(ctx context.Context, kind string, id push.ID, into any) (int64, error) {
	d, err := r.Documents.Document(ctx, kind, string(id))
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(d.Body, into); err != nil {
		return 0, fmt.Errorf("read %s %s: %w", kind, id, err)
	}
	return d.Version, nil
}

// save stores a document on condition that version is the one before.
func (r *Room) save(ctx context.Context, kind string, id push.ID, version int64, v any, now time.Time) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", kind, id, err)
	}
	return r.Documents.PutDocument(ctx, document.Document{Kind: kind, Name: string(id), Version: version, Body: body, UpdatedAt: now})
}
