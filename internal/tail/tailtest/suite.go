// Package tailtest holds the stores of documents to what following events needs of them: every driver of [document.Store]
// runs it, beside documenttest.
package tailtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/tail"
	"github.com/belfry-push/belfry/internal/wire"
)

// patience is how long something may take that needs a second or two.
const patience = time.Minute

// Run has processes tell each other what happens through the driver, in real time, and what they told expire. The store must
// have no such documents, and nothing else may use those meanwhile: cases run one after the other.
func Run(t *testing.T, open func(t *testing.T) document.Store) {
	t.Helper()
	docs := open(t)
	for _, c := range []struct {
		name string
		run  func(*testing.T, document.Store)
	}{
		{"what one process tells, another has, in order and once", follow},
		{"what was told expires, the oldest only, and who told it writes on", expire},
		{"more than a page of what was told expires at once", expireMany},
		{"what a process left behind goes while somebody follows", leftBehind},
	} {
		if !t.Run(c.name, func(t *testing.T) { c.run(t, docs) }) {
			return
		}
	}
}

// listen has a hub listen on the documents, until the test ends.
func listen(t *testing.T, docs document.Store) *tail.Listener {
	t.Helper()
	hub := tail.NewHub(tail.NewSource(docs, zap.NewNop(), time.Now), docs, zap.NewNop(), time.Now)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() { hub.Run(ctx); close(ended) }()
	t.Cleanup(func() { hub.Stop(); cancel(); <-ended })
	l, err := hub.Listen(t.Context(), tail.Sight{All: true, Kinds: tail.Kinds()}, tail.Filter{}, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// began returns the source of another process, which has found out that somebody listens. Its clock is off by ahead.
func began(t *testing.T, docs document.Store, ahead time.Duration) *tail.Source {
	t.Helper()
	s := tail.NewSource(docs, zap.NewNop(), func() time.Time { return time.Now().Add(ahead) })
	if s.Begin(t.Context()); !s.Listening() {
		t.Fatal("it does not see that somebody listens")
	}
	return s
}

// write tells of notifications, and has that written.
func write(t *testing.T, s *tail.Source, ids ...string) {
	t.Helper()
	for _, id := range ids {
		s.Tell(id, "", wire.Accepted{ID: "x", Tenant: "acme", App: "shop", Lane: "high"})
	}
	s.End(t.Context())
}

// expect waits until a listener has as many events as are wanted, and holds that they are those.
func expect(t *testing.T, l *tail.Listener, want ...string) {
	t.Helper()
	var all []string
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(all) < len(want) {
		select {
		case <-l.Changed():
		case <-ctx.Done():
			t.Fatalf("after %v: %q, want %q", patience, all, want)
		}
		items, _, err := l.Take()
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range items {
			if it.Gap {
				all = append(all, fmt.Sprint("gap:", it.Lost))
				continue
			}
			e, err := wire.DecodeOutgoing(it.Body)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e.Subject)
		}
	}
	if !slices.Equal(all, want) {
		t.Errorf("%q, want %q", all, want)
	}
}

func follow(t *testing.T, docs document.Store) {
	t.Helper()
	l := listen(t, docs)
	one := began(t, docs, 0)
	write(t, one, "a", "b")
	expect(t, l, "a", "b")
	write(t, one, "c")
	expect(t, l, "c")
	write(t, began(t, docs, 0), "d")
	expect(t, l, "d")
	forgotten(t, docs, time.Now().Add(time.Hour), 5) // two heads, and the parts
}

// forgotten removes what was told before a time, and holds how many documents that were.
func forgotten(t *testing.T, docs document.Store, before time.Time, want int) {
	t.Helper()
	if n, err := tail.Forget(t.Context(), docs, before); err != nil || n != want {
		t.Fatalf("%d documents went, %v, want %d", n, err, want)
	}
}

func expire(t *testing.T, docs document.Store) {
	t.Helper()
	l := listen(t, docs)
	const old = 3 * time.Minute // less than a listener waits before it removes what is there
	early, late := began(t, docs, -old), began(t, docs, 0)
	write(t, early, "early")
	expect(t, l, "early")
	write(t, late, "late")
	expect(t, l, "late")
	begun := time.Now()
	forgotten(t, docs, begun.Add(-old-time.Hour), 0)
	forgotten(t, docs, begun.Add(-old/2), 2)
	forgotten(t, docs, begun.Add(-old/2), 0)
	write(t, late, "late again")
	expect(t, l, "late again")
	write(t, early, "early again") // what it remembers of the store is gone: it begins anew
	expect(t, l, "early again")
	began(t, docs, 0)                                // who listens is still known
	forgotten(t, docs, time.Now().Add(time.Hour), 5) // of the late one two parts
	write(t, late, "late, the third")
	expect(t, l, "late, the third")
	forgotten(t, docs, time.Now().Add(time.Hour), 2)
}

func expireMany(t *testing.T, docs document.Store) {
	t.Helper()
	listen(t, docs)
	const processes, parts = 4, 32
	for range processes {
		s := began(t, docs, 0)
		for i := range parts + 1 { // the last one takes the place of the first
			write(t, s, strconv.Itoa(i))
		}
	}
	forgotten(t, docs, time.Now().Add(time.Hour), processes*(parts+1))
	forgotten(t, docs, time.Now().Add(time.Hour), 0)
}

func leftBehind(t *testing.T, docs document.Store) {
	t.Helper()
	gone := func() {
		listen(t, docs)
		write(t, began(t, docs, -10*time.Minute), "last words")
	}
	gone()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(100 * time.Millisecond); ; { //nolint:mnd // often enough
		left := 0
		for _, kind := range []string{"tail-head", "tail-part"} {
			found, _, err := docs.Documents(ctx, kind, "", 10) //nolint:mnd // there are two
			if err != nil {
				t.Fatal(err)
			}
			left += len(found)
		}
		if left == 0 {
			tick.Stop()
			return
		}
		<-tick.C
	}
}
