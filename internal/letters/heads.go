package letters

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// origin is what a letter takes from its notification. None of it ever changes.
type origin struct {
	acceptedAt  time.Time
	tenant      string
	traceParent string
	labels      map[string]string
}

// heads remembers the origins of the notifications that drain saw last: the letters of one
// chunk, and mostly of many chunks, share theirs. Safe for concurrent use.
type heads struct {
	store Notifications

	mu    sync.Mutex
	known map[push.ID]*origin // nil: the ledger has no such notification
}

// maxHeads bounds the memory: a origin has at most some 10 KB of labels.
const maxHeads = 1024

func newHeads(store Notifications) *heads {
	return &heads{store: store, known: map[push.ID]*origin{}}
}

// of returns the notification's origin, which is empty if the ledger does not have the
// notification.
func (h *heads) of(ctx context.Context, id push.ID) (origin, error) {
	if id == "" {
		return origin{}, nil
	}
	h.mu.Lock()
	s, ok := h.known[id]
	h.mu.Unlock()
	if !ok {
		n, err := h.store.Notification(ctx, id)
		switch {
		case errors.Is(err, push.ErrNotFound):
		case err != nil:
			return origin{}, fmt.Errorf("read %s: %w", id, err)
		default:
			s = &origin{acceptedAt: n.AcceptedAt, tenant: n.Tenant, traceParent: n.TraceParent, labels: maps.Clone(n.Labels)}
		}
		h.mu.Lock()
		if len(h.known) >= maxHeads {
			clear(h.known)
		}
		h.known[id] = s
		h.mu.Unlock()
	}
	if s == nil {
		return origin{}, nil
	}
	return *s, nil
}
