package deliver

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/belfry-push/belfry/internal/push"
)

// heads caches what many chunks of one notification share: its head, read
// again when it is older than headFresh so that pausing and cancelling are seen
// everywhere within a second, and its message, encoded once.
type heads struct {
	store   Notifications
	encoder Encoder
	now     func() time.Time
	cache   *otter.Cache[push.ID, *head]
}

// headFresh is how old a head may be. A process that sends a notification reads
// it twice a second, whatever the number of chunks.
const headFresh = 500 * time.Millisecond

// head is one notification as its chunks see it.
type head struct {
	current  atomic.Pointer[push.Notification]
	readAt   atomic.Int64 // Unix nanoseconds
	reading  atomic.Bool  // somebody is about to renew it
	template atomic.Pointer[rendered]
	badCause atomic.Pointer[string] // FCM's words when it called the shared message invalid
}

// rendered is the shared message ready to send, or why it can't be.
type rendered struct {
	template push.Template
	code     push.Code // CodeOpen, or what every recipient ends with
	detail   string
}

func newHeads(store Notifications, encoder Encoder, now func() time.Time) (*heads, error) {
	const entries, keep = 10_000, 10 * time.Minute
	c, err := otter.New(&otter.Options[push.ID, *head]{
		MaximumSize: entries, ExpiryCalculator: otter.ExpiryAccessing[push.ID, *head](keep),
	})
	if err != nil {
		return nil, fmt.Errorf("notification cache: %w", err)
	}
	return &heads{store: store, encoder: encoder, now: now, cache: c}, nil
}

// get returns the head, fresh enough.
func (hs *heads) get(ctx context.Context, id push.ID) (*head, error) {
	h, ok := hs.cache.GetIfPresent(id)
	if !ok {
		h = &head{}
	}
	if err := hs.refresh(ctx, h, id); err != nil {
		return nil, err
	}
	if !ok {
		h, _ = hs.cache.SetIfAbsent(id, h) // one head for all, so that one chunk's discovery serves the others
	}
	return h, nil
}

// refresh reads the notification again if it is older than headFresh. While one
// chunk reads it, the others make do with what they have, unless that is from
// another time altogether.
func (hs *heads) refresh(ctx context.Context, h *head, id push.ID) error {
	const usable = 2 * headFresh
	if h.current.Load() != nil {
		age := hs.now().Sub(time.Unix(0, h.readAt.Load()))
		if age < headFresh {
			return nil
		}
		if age < usable {
			if !h.reading.CompareAndSwap(false, true) {
				return nil
			}
			defer h.reading.Store(false)
		}
	}
	return hs.read(ctx, h, id)
}

// read reads the notification, however fresh the head is.
func (hs *heads) read(ctx context.Context, h *head, id push.ID) error {
	now := hs.now().UnixNano()
	n, err := hs.store.Notification(ctx, id)
	if err != nil {
		return err
	}
	h.current.Store(&n)
	h.readAt.Store(now)
	return nil
}

// apart returns a head of the same notification for one chunk with a message of
// its own, which shares neither the encoded message nor what FCM said of it.
func (h *head) apart() *head {
	own := &head{}
	own.current.Store(h.current.Load())
	own.readAt.Store(h.readAt.Load())
	return own
}

func (h *head) notification() *push.Notification { return h.current.Load() }
