package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// story is what a letter takes from its notification. None of it ever changes.
type story struct {
	acceptedAt  time.Time
	tenant      string
	traceParent string
	labels      map[string]string
}

// heads remembers the stories of the notifications that drain met last: those of
// one chunk, and mostly those of many, share theirs. Safe for concurrent use.
type heads struct {
	store Notifications

	mu    sync.Mutex
	known map[push.ID]*story // nil: the ledger has no such notification
}

// maxHeads bounds the memory: a story has at most some 10 KB of labels.
const maxHeads = 1024

func newHeads(store Notifications) *heads {
	return &heads{store: store, known: map[push.ID]*story{}}
}

// of returns the notification's story; one that the ledger does not have is
// empty.
func (h *heads) of(ctx context.Context, id push.ID) (story, error) {
	if id == "" {
		return story{}, nil
	}
	h.mu.Lock()
	s, ok := h.known[id]
	h.mu.Unlock()
	if !ok {
		n, err := h.store.Notification(ctx, id)
		switch {
		case errors.Is(err, push.ErrNotFound):
		case err != nil:
			return story{}, fmt.Errorf("read %s: %w", id, err)
		default:
			s = &story{acceptedAt: n.AcceptedAt, tenant: n.Tenant, traceParent: n.TraceParent, labels: maps.Clone(n.Labels)}
		}
		h.mu.Lock()
		if len(h.known) >= maxHeads {
			clear(h.known)
		}
		h.known[id] = s
		h.mu.Unlock()
	}
	if s == nil {
		return story{}, nil
	}
	return *s, nil
}
