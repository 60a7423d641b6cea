package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// nobodyErased is for programs without privacy requests.
type nobodyErased struct{}

// Current implements [Erasures].
func (nobodyErased) Current(context.Context) error { return nil }

// Erased implements [Erasures].
func (nobodyErased) Erased(_ string, r *push.Recipient, _ time.Time) bool { return r.Erased() }

// sparingErased gives the recipients of new plans that were erased their outcome, and keeps no
// hash of their addresses. Whoever is erased after that, deliver finds.
func (f *Fanout) sparingErased(ctx context.Context, n *push.Notification, chunks []push.Chunk, plans []ledger.Plan) error {
	if len(plans) == 0 {
		return nil
	}
	if err := f.cfg.Erasures.Current(ctx); err != nil {
		return fmt.Errorf("look who is erased: %w", err)
	}
	for i := range plans {
		p, rs := &plans[i], chunks[len(chunks)-len(plans)+i].Recipients
		for c := range rs {
			if f.cfg.Erasures.Erased(n.Tenant, &rs[c], n.AcceptedAt) {
				p.Cells[c], p.Hashes[c] = ledger.CellOf(push.CodeUserErased, false), 0
			}
		}
	}
	return nil
}
