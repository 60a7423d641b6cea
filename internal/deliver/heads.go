package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/belfry-push/belfry/internal/clock"
	"github.com/belfry-push/belfry/internal/deliver/brake"
	"github.com/belfry-push/belfry/internal/deliver/pace"
	"github.com/belfry-push/belfry/internal/push"
)

// heads caches what many chunks of one notification share: its head, its
// message, encoded once, and the limiter of its throttle.
//
// Pausing and cancelling hold within a second: they are one write of the head,
// and no request starts under a head whose reading began longer ago than
// headLimit. A process that sends a notification reads it twice a second per
// lane, whatever the number of chunks; while nothing is sent, not at all.
type heads struct {
	store   Notifications
	terms   Terms
	encoder Encoder
	now     func() clock.Moment
	cache   *otter.Cache[push.ID, *head]
	reads   singleflight.Group // by id: readings under way
}

const (
	// headFresh is the age from which a head is read again.
	headFresh = 500 * time.Millisecond
	// headLimit is the age from which no request may start under a head.
	headLimit = 900 * time.Millisecond
	// headPatience bounds one reading: after that its result would be too old, and a
	// ledger that hangs must hold nothing up.
	headPatience = 5 * time.Second
)

// errOldHead says that reading the notification takes so long that a pause
// could not be seen in time.
var errOldHead = errors.New("the ledger answers too slowly to send under it")

// head is what the chunks of one notification share.
type head struct {
	mu         sync.Mutex // held to renew current
	current    atomic.Pointer[reading]
	limiter    *rate.Limiter // of the notification's throttle; nil: none
	brake      brake.Brake
	accepted   atomic.Bool // FCM took the shared message for somebody
	renderings renderings
}

// reading is a notification with what holds for its app, and when its reading began.
type reading struct {
	n    *push.Notification
	term Term
	at   clock.Moment
}

func newHeads(store Notifications, terms Terms, encoder Encoder, now func() clock.Moment) (*heads, error) {
	const entries, keep = 10_000, 10 * time.Minute
	c, err := otter.New(&otter.Options[push.ID, *head]{
		MaximumSize: entries, ExpiryCalculator: otter.ExpiryAccessing[push.ID, *head](keep),
	})
	if err != nil {
		return nil, fmt.Errorf("notification cache: %w", err)
	}
	return &heads{store: store, terms: terms, encoder: encoder, now: now, cache: c}, nil
}

// get returns the head of a notification, read no longer than headFresh ago.
func (hs *heads) get(ctx context.Context, id push.ID) (*head, error) {
	if h, ok := hs.cache.GetIfPresent(id); ok {
		return h, hs.refresh(ctx, h, id)
	}
	r, err := hs.shared(ctx, id)
	if err != nil {
		return nil, err
	}
	h := &head{limiter: pace.NewLimiter(r.n.PerSecond)}
	h.current.Store(&r)
	h, _ = hs.cache.SetIfAbsent(id, h) // one head for all, so that one chunk's discovery serves the others
	return h, nil
}

// refresh reads the notification again if it is older than headFresh.
func (hs *heads) refresh(ctx context.Context, h *head, id push.ID) error {
	if hs.age(h) < headFresh {
		return nil
	}
	r, err := hs.shared(ctx, id)
	if err != nil {
		return err
	}
	h.renew(r)
	return nil
}

// valid returns a notification that was read no longer than headLimit ago, so that a
// request may rely on it, and what time it was then. A chunk that is being sent renews it
// long before; only a chunk that was held up has to wait here.
func (hs *heads) valid(ctx context.Context, h *head) (*push.Notification, clock.Moment, error) {
	r, now := h.current.Load(), hs.now() // in this order
	if r.at.Age(now) < headLimit {
		return r.n, now, nil
	}
	if err := hs.refresh(ctx, h, r.n.ID); err != nil {
		return nil, now, err
	}
	if r, now = h.current.Load(), hs.now(); r.at.Age(now) >= headLimit {
		return nil, now, errOldHead
	}
	return r.n, now, nil
}

// reread reads the notification now, whatever the age of the head and of a
// reading under way.
func (hs *heads) reread(ctx context.Context, h *head, id push.ID) error {
	r, err := hs.read(ctx, id)
	if err != nil {
		return err
	}
	h.renew(r)
	return nil
}

// shared reads the notification, once for all callers at the same time.
func (hs *heads) shared(ctx context.Context, id push.ID) (reading, error) {
	v, err, _ := hs.reads.Do(string(id), func() (any, error) { return hs.read(ctx, id) })
	if err != nil {
		return reading{}, err
	}
	return v.(reading), nil //nolint:errcheck,forcetypeassert // the flight returns nothing else
}

func (hs *heads) read(ctx context.Context, id push.ID) (reading, error) {
	ctx, cancel := context.WithTimeout(ctx, headPatience)
	defer cancel()
	at := hs.now()
	n, err := hs.store.Notification(ctx, id)
	if err != nil {
		return reading{&n, Term{}, at}, err
	}
	term, err := hs.terms.Terms(ctx, n.Tenant, n.App)
	if err != nil {
		err = fmt.Errorf("find out what holds for the app: %w", err)
	}
	return reading{&n, term, at}, err
}

// age returns how long ago the head's reading began, at least: a wall clock that was
// set back, or a machine that slept, makes it older.
func (hs *heads) age(h *head) time.Duration {
	at := h.current.Load().at // before the clocks are read
	return at.Age(hs.now())
}

// renew takes a reading unless a later one is known.
func (h *head) renew(r reading) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.at.Elapsed >= h.current.Load().at.Elapsed {
		h.current.Store(&r)
	}
}

// apart returns a head of the same notification for one chunk with a message of its
// own. It shares neither the encoded message nor FCM's answers to it.
func (h *head) apart() *head {
	h.mu.Lock()
	defer h.mu.Unlock()
	own := &head{limiter: h.limiter}
	own.current.Store(h.current.Load())
	return own
}

func (h *head) notification() *push.Notification { return h.current.Load().n }

func (h *head) term() Term { return h.current.Load().term }
