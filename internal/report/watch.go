package report

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry/about"
)

// ErrStopped says that the room takes no watchers any more: the process is
// shutting down. Watching elsewhere, or again a little later, goes on.
var ErrStopped = errors.New("watching has stopped")

// How a notification is followed. With half a second between looks, a watcher's view is
// less than a second old.
const (
	lookEvery = 500 * time.Millisecond
	// lookPatience is how long looks may fail before the watches end with an error:
	// another process may be able to answer.
	lookPatience = 10 * time.Second
)

// feed is one notification that is watched: one goroutine looks, for any number of
// watches.
type feed struct {
	room *Reader
	key  feedKey

	watchers int // guarded by the room's mutex
	cancel   context.CancelFunc

	mu      sync.Mutex
	view    *View         // never changed, only replaced
	err     error         // why it has ended
	version int64         // of view, in this feed: it may say something else while the revision stays
	changed chan struct{} // closed and replaced with every newer view, closed for good at the end
}

type feedKey struct {
	tenant string
	id     push.ID
}

// Watch follows one notification. Views between two calls of Latest are skipped: there is
// no queue, only the newest view. It belongs to one goroutine.
type Watch struct {
	feed    *feed
	after   int64 // only what has a higher revision is news,
	version int64 // or another version of the feed than was seen last
	changed <-chan struct{}
}

// Watch begins to follow a tenant's notification or batch. The first call of Latest returns
// the present view, unless it is older than the revision that the caller has seen already,
// 0 for none. Errors are push.ErrNotFound and
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
		f = &feed{room: r, key: key, view: &v, changed: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f.cancel = cancel
		r.feeds[key] = f
		r.looking.Go(func() { f.run(ctx) })
	} else {
		f.publish(&v)
	}
	f.watchers++
	return &Watch{feed: f, after: seen, version: -1}, nil
}

// Latest returns the newest view if it is newer than the last one returned, else
// nil. It is shared with other watchers and must not be changed. An error says that there
// will be no other view: [ErrStopped], push.ErrNotFound, or that the ledger has not
// answered for ten seconds.
func (w *Watch) Latest() (*View, error) {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	w.changed = w.feed.changed
	if w.feed.err != nil {
		return nil, w.feed.err
	}
	if w.feed.view.Revision < w.after || w.feed.view.Revision == w.after && w.feed.version == w.version {
		return nil, nil
	}
	w.after, w.version = w.feed.view.Revision, w.feed.version
	return w.feed.view, nil
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

// Stop ends every watch with [ErrStopped] and lets no other begin. It returns when the last
// look has ended, or with the error of ctx.
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
			f.publish(&v)
		case errors.Is(err, push.ErrNotFound):
			f.end(err)
			return
		case time.Since(seen) >= lookPatience:
			f.room.cfg.Log.Error("a notification can't be watched", about.Notification(&f.view.Notification), zap.Error(err))
			f.end(err)
			return
		}
	}
}

// publish makes v the newest view unless there is a newer one, or one that says the same: of
// two concurrent looks, the later may end first.
func (f *feed) publish(v *View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil || v.Revision < f.view.Revision || v.Revision == f.view.Revision && v.Waiting.same(f.view.Waiting) {
		return
	}
	f.view = v
	f.version++
	close(f.changed)
	f.changed = make(chan struct{})
}

// over reports whether the feed has ended by itself.
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
