package report

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// ErrStopped says that the room takes no watchers any more: the process is
// shutting down. Watching elsewhere, or again a little later, goes on.
var ErrStopped = errors.New("watching has stopped")

// How a notification is followed. Half a second between looks and the look
// itself keep what watchers see less than a second old.
const (
	lookEvery = 500 * time.Millisecond
	// lookPatience is how long looks may fail before the watchers are sent away,
	// to ask another process perhaps.
	lookPatience = 10 * time.Second
)

// feed is one notification under observation: one goroutine looks, however
// many watch.
type feed struct {
	room *Reader
	key  feedKey

	watchers int // guarded by the room's mutex
	cancel   context.CancelFunc

	mu      sync.Mutex
	view    View
	err     error         // why it has ended
	changed chan struct{} // closed and replaced with every newer view, closed for good at the end
}

type feedKey struct {
	tenant string
	id     push.ID
}

// Watch follows one notification. Between two calls of Latest it skips what it
// missed: there is no queue, only the newest view. It belongs to one goroutine.
type Watch struct {
	feed    *feed
	after   int64 // only what has a higher revision is news
	changed <-chan struct{}
}

// Watch begins to follow a tenant's notification or batch. The first call of
// Latest returns how it stands now, unless that is older than the revision that
// the caller has seen already, 0 for none. Errors are push.ErrNotFound and
// [ErrStopped]. The caller must Close the watch.
//
// All watches of one notification share one look at the lines every half
// second.
func (r *Reader) Watch(ctx context.Context, tenant string, id push.ID, seen int64) (*Watch, error) {
	v, err := r.Notification(ctx, tenant, id)
	if err == nil && v.Revision < seen {
		v, err = r.look(ctx, tenant, id)
	}
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, ErrStopped
	}
	key := feedKey{tenant, id}
	f := r.feeds[key]
	if f == nil || f.over() {
		f = &feed{room: r, key: key, view: v, changed: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f.cancel = cancel
		r.feeds[key] = f
		r.looking.Go(func() { f.run(ctx) })
	} else {
		f.publish(v)
	}
	f.watchers++
	return &Watch{feed: f, after: seen - 1}, nil
}

// Latest returns the newest view, if it is newer than the last one returned.
// The error says that there will be no other: [ErrStopped], push.ErrNotFound, or
// that the ledger has not answered for ten seconds.
func (w *Watch) Latest() (v View, newer bool, err error) {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	w.changed = w.feed.changed
	if w.feed.err != nil {
		return View{}, false, w.feed.err
	}
	if w.feed.view.Revision <= w.after {
		return View{}, false, nil
	}
	w.after = w.feed.view.Revision
	return w.feed.view, true, nil
}

// Changed returns a channel that is closed when Latest has news or an error. It
// is made by Latest, so call that first.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

// Close ends the watch; with the last one, looking ends too.
func (w *Watch) Close() {
	r := w.feed.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.feed.watchers--; w.feed.watchers > 0 {
		return
	}
	w.feed.cancel()
	if r.feeds[w.feed.key] == w.feed {
		delete(r.feeds, w.feed.key)
	}
}

// Stop ends every watch with [ErrStopped] and lets no other begin. It returns
// when nothing looks any more, or with the error of ctx.
func (r *Reader) Stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopped = true
	for _, f := range r.feeds {
		f.cancel()
		f.end(ErrStopped)
	}
	r.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.looking.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop watching: %w", context.Cause(ctx))
	}
}

// run looks until nobody watches.
func (f *feed) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	seen := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v, err := f.room.look(ctx, f.key.tenant, f.key.id)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			seen = time.Now()
			f.publish(v)
		case errors.Is(err, push.ErrNotFound):
			f.end(err)
			return
		case time.Since(seen) >= lookPatience:
			f.room.cfg.Log.Error("a notification can't be watched", zap.String("notification", string(f.key.id)), zap.Error(err))
			f.end(err)
			return
		}
	}
}

// publish makes v the newest view unless there is a newer or equal one: of two
// looks at once, the later may be done first.
func (f *feed) publish(v View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil || v.Revision <= f.view.Revision {
		return
	}
	f.view = v
	close(f.changed)
	f.changed = make(chan struct{})
}

// over tells whether the feed has ended by itself.
func (f *feed) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err != nil
}

// end gives every watch its error. The feed takes no other watcher.
func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		close(f.changed)
	}
}
