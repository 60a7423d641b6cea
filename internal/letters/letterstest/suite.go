package letterstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/push"
)

// Features says where a driver legitimately differs.
type Features struct {
	// Restart opens a store on data of its own; calling the returned function
	// again closes the store and opens the same data anew. Nil where the data
	// lives in a service that outlasts the process, or in memory.
	Restart func(t *testing.T) func() Store
}

// Run holds a driver to the contract of [Store]. open may return one store for
// all cases: each works under an app of its own. Cases run in parallel.
func Run(t *testing.T, open func(t *testing.T) Store, features Features) {
	t.Helper()
	cases := []struct {
		name string
		run  func(f *fixture)
	}{
		{"a letter is stored once", putOnce},
		{"of concurrent puts exactly one stores", putConcurrently},
		{"a letter comes back as it was", roundTrip},
		{"what is not there is not found", notFound},
		{"letters are listed in both orders", list},
		{"a cursor is checked", badCursor},
		{"every field of a filter counts", filters},
		{"moves follow the table", moves},
		{"of concurrent claims exactly one wins", claimConcurrently},
		{"a discarded letter loses what could be sent", discard},
		{"a letter loses its recipient", erase},
		{"groups and tallies are exact along a random walk", randomWalk},
		{"what is done with can be purged", purge},
		{"a cancelled context is an error", cancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&fixture{T: t, Store: open(t), app: string(push.NewID("app"))})
		})
	}
	t.Run("what was written survives a restart", func(t *testing.T) {
		t.Parallel()
		if features.Restart == nil {
			t.Skip("the data lives elsewhere")
		}
		restart(t, features.Restart(t))
	})
}

// A fixture is what one case works with.
type fixture struct {
	*testing.T
	Store

	app string
}

// epoch is the time at which the suite's world begins. Microseconds are what
// every driver keeps.
func epoch() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 123_456_000, time.UTC) }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) mustBe(got, want error) {
	f.Helper()
	if !errors.Is(got, want) {
		f.Fatalf("error = %v, want one that is %v", got, want)
	}
}

func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), large()); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// large has bodies of megabytes compared at once: looked at byte by byte, each takes seconds under the race detector.
func large() cmp.Option {
	return cmp.FilterValues(func(a, b []byte) bool { return len(a) > 4096 && len(b) > 4096 }, cmp.Comparer(bytes.Equal))
}

// recipient returns a letter of one recipient; n varies what may vary.
func (f *fixture) recipient(n int) push.Letter {
	l := push.Letter{
		ID: push.NewID(push.PrefixDeadLetter), Kind: push.LetterRecipient, Tenant: fmt.Sprintf("tenant-%d", n%3), App: f.app,
		Queue: push.QueueBulk, Code: push.CodeAttemptsExhausted, LastCode: push.CodeFCMUnavailable, Detail: fmt.Sprintf("overloaded (%d)", n),
		Attempts: 5, Notification: push.NewID(push.PrefixNotification), Seq: n / 4, Cell: n % 4, Turn: 4,
		Recipient: push.Recipient{
			Address: push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("token-%d", n))}, Line: int64(n + 1),
		},
		AcceptedAt: epoch().Add(-time.Hour), DeadAt: epoch().Add(time.Duration(n) * time.Minute),
		StoredAt: epoch().Add(time.Duration(n)*time.Minute + time.Second),
		Software: "v1.2.3", Template: "welcome", Pattern: "overloaded (#)", State: push.LetterParked, Version: 1,
	}
	if n%2 == 1 {
		l.Queue = push.QueueHigh
	}
	if n%5 == 0 {
		l.LastCode = push.CodeNetTimeout
	}
	l.Fingerprint = fmt.Sprintf("%s-%d", f.app, l.LastCode)
	return l
}

// message returns a letter of a whole queue message.
func (f *fixture) message(n int) push.Letter {
	return push.Letter{
		ID: push.NewID(push.PrefixDeadLetter), Kind: push.LetterMessage, App: f.app, Queue: push.QueueEvents, Code: push.CodeUndecodable,
		Detail: "not a CloudEvent", Attempts: 1, Cell: -1, Body: []byte{0, 0xff, byte(n)},
		AcceptedAt: epoch(), DeadAt: epoch().Add(time.Duration(n) * time.Minute), StoredAt: epoch().Add(time.Hour), Software: "v1.2.3",
		Pattern: "not a CloudEvent", Fingerprint: f.app + "-events", State: push.LetterParked, Version: 1,
	}
}

// put stores letters that are new.
func (f *fixture) put(ls ...push.Letter) []push.Letter {
	f.Helper()
	n, err := f.PutLetters(f.Context(), ls)
	f.must(err)
	if n != len(ls) {
		f.Fatalf("%d of %d letters were stored", n, len(ls))
	}
	return ls
}

// all lists everything that a filter takes, in pages of size.
func (f *fixture) all(filter push.LetterFilter, size int) []push.Letter {
	f.Helper()
	if filter.App == "" {
		filter.App = f.app
	}
	var out []push.Letter
	cursor := ""
	for range 10_000 {
		page, next, err := f.Letters(f.Context(), filter, cursor, size)
		f.must(err)
		if len(page) > size {
			f.Fatalf("a page of %d has %d letters", size, len(page))
		}
		out = append(out, page...)
		if next == "" {
			return out
		}
		cursor = next
	}
	f.Fatal("the listing does not end")
	return nil
}

func ids(ls []push.Letter) []push.ID {
	out := make([]push.ID, len(ls))
	for i := range ls {
		out[i] = ls[i].ID
	}
	return out
}

// move makes one move and says whether it was made.
func (f *fixture) move(m push.LetterMove) bool {
	f.Helper()
	moved, err := f.MoveLetters(f.Context(), []push.LetterMove{m})
	f.must(err)
	if len(moved) != 1 {
		f.Fatalf("one move gave %d answers", len(moved))
	}
	return moved[0]
}

// together runs fn in n goroutines that start at once, and returns when all are
// done.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

func cancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	_, putErr := f.PutLetters(ctx, []push.Letter{f.recipient(1)})
	_, readErr := f.Letter(ctx, push.NewID(push.PrefixDeadLetter))
	_, _, listErr := f.Letters(ctx, push.LetterFilter{App: f.app}, "", 10)
	for _, err := range []error{putErr, readErr, listErr} {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, push.ErrNotFound) {
			f.Errorf("error = %v, want context.Canceled", err)
		}
	}
	if putErr == nil || listErr == nil {
		f.Error("no error from a cancelled context")
	}
}

func restart(t *testing.T, open func() Store) {
	t.Helper()
	f := &fixture{T: t, Store: open(), app: strings.Repeat("a", 20)}
	stored := f.put(f.recipient(1), f.message(2), f.recipient(3))
	if !f.move(push.LetterMove{ID: stored[0].ID, Version: 1, State: push.LetterReplaying, Replay: "rpl_1", At: epoch()}) {
		t.Fatal("not moved")
	}
	want := f.all(push.LetterFilter{}, 10)
	groups, err := f.LetterGroups(t.Context(), push.LetterFilter{App: f.app})
	f.must(err)

	f.Store = open()
	f.same("letters", f.all(push.LetterFilter{}, 10), want)
	again, err := f.LetterGroups(t.Context(), push.LetterFilter{App: f.app})
	f.must(err)
	sortGroups(groups)
	sortGroups(again)
	f.same("groups", again, groups)
	tally, err := f.LetterTally(t.Context(), "rpl_1")
	f.must(err)
	if tally.Replaying != 1 {
		t.Errorf("tally after a restart: %+v", tally)
	}
}
