// Package documenttest is the conformance suite of the document store: every
// driver of [document.Store] runs it.
package documenttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Features says where a driver legitimately differs.
type Features struct {
	// Restart opens a store on data of its own; calling the returned function
	// again closes the store and opens the same data anew. Nil where the data
	// lives in a service that outlasts the process.
	Restart func(t *testing.T) func() document.Store
}

// Run holds a driver to the contract of [document.Store]. open may return one
// store for all cases: each works in a kind of its own. Cases run in parallel.
func Run(t *testing.T, open func(t *testing.T) document.Store, features Features) {
	t.Helper()
	cases := []struct {
		name string
		run  func(f *fixture)
	}{
		{"a document comes back as it was", roundTrip},
		{"a document changes from the version that was read", compareAndSwap},
		{"of concurrent changes exactly one wins", swapConcurrently},
		{"a document is deleted at the version that was read", deleteDocument},
		{"a kind is listed by name", list},
		{"a cursor is checked", badCursor},
		{"kinds are apart", apart},
		{"a cancelled context is an error", cancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, open(t)))
		})
	}
	t.Run("what was written survives a restart", func(t *testing.T) {
		t.Parallel()
		if features.Restart == nil {
			t.Skip("the data lives in a service")
		}
		reopen := features.Restart(t)
		f := newFixture(t, reopen())
		d := f.document("name", 1)
		f.put(d)
		f.Store = reopen()
		f.same("document", f.get("name"), d)
	})
}

// A fixture is what one case works with.
type fixture struct {
	*testing.T
	document.Store

	kind string
}

func newFixture(t *testing.T, s document.Store) *fixture {
	t.Helper()
	return &fixture{T: t, Store: s, kind: string(push.NewID("kind"))}
}

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
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func (f *fixture) document(name string, version int64) document.Document {
	return document.Document{
		Kind: f.kind, Name: name, Version: version, Body: fmt.Appendf(nil, `{"version":%d}`, version),
		UpdatedAt: time.Date(2026, 11, 21, 9, 30, int(version), 123_456_000, time.UTC),
	}
}

func (f *fixture) put(d document.Document) {
	f.Helper()
	f.must(f.PutDocument(f.Context(), d))
}

func (f *fixture) get(name string) document.Document {
	f.Helper()
	d, err := f.Document(f.Context(), f.kind, name)
	f.must(err)
	return d
}

func roundTrip(f *fixture) {
	d := f.document(`a "name" / with #, 'all' of ~`, 1)
	d.Body = []byte(`{"größe":"🐝","nul":"\u0000"}`)
	f.put(d)
	f.same("small", f.get(d.Name), d)
	d = f.document("large", 1)
	d.Body = bytes.Repeat([]byte("x"), document.MaxBytes)
	f.put(d)
	f.same("large", f.get("large"), d)
	_, err := f.Document(f.Context(), f.kind, "ghost")
	f.mustBe(err, push.ErrNotFound)
}

func compareAndSwap(f *fixture) {
	for _, v := range []int64{0, 2} {
		f.mustBe(f.PutDocument(f.Context(), f.document("name", v)), push.ErrConflict)
	}
	first := f.document("name", 1)
	f.put(first)
	for _, v := range []int64{0, 1, 3} {
		f.mustBe(f.PutDocument(f.Context(), f.document("name", v)), push.ErrConflict)
	}
	f.same("after refused changes", f.get("name"), first)
	f.put(f.document("name", 2))
	f.same("changed", f.get("name"), f.document("name", 2))
}

func swapConcurrently(f *fixture) {
	const rounds, callers = 3, 6
	for round := range rounds {
		var winners atomic.Int64
		together(callers, func(int) {
			err := f.PutDocument(f.Context(), f.document("name", int64(round+1)))
			switch {
			case err == nil:
				winners.Add(1)
			case !errors.Is(err, push.ErrConflict):
				f.Error(err)
			}
		})
		if winners.Load() != 1 {
			f.Fatalf("round %d: %d changes won", round, winners.Load())
		}
	}
}

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

func deleteDocument(f *fixture) {
	f.mustBe(f.DeleteDocument(f.Context(), f.kind, "name", 1), push.ErrNotFound)
	f.put(f.document("name", 1))
	f.put(f.document("name", 2))
	f.mustBe(f.DeleteDocument(f.Context(), f.kind, "name", 1), push.ErrConflict)
	f.must(f.DeleteDocument(f.Context(), f.kind, "name", 2))
	_, err := f.Document(f.Context(), f.kind, "name")
	f.mustBe(err, push.ErrNotFound)
	f.mustBe(f.PutDocument(f.Context(), f.document("name", 3)), push.ErrConflict)
	f.put(f.document("name", 1))
}

func (f *fixture) listed(limit int) []document.Document {
	f.Helper()
	var all []document.Document
	cursor := ""
	for {
		page, next, err := f.Documents(f.Context(), f.kind, cursor, limit)
		f.must(err)
		if len(page) > limit {
			f.Fatalf("limit %d gave %d", limit, len(page))
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		if next == cursor {
			f.Fatal("the cursor stands still")
		}
		cursor = next
	}
}

func list(f *fixture) {
	var want []document.Document
	for _, name := range []string{"!", "B", "a", "a b", "a/b", "b", "~"} {
		want = append(want, f.document(name, 1))
	}
	for _, w := range slices.Backward(want) {
		f.put(w)
	}
	for _, limit := range []int{1, 3, len(want), 1000} {
		f.same("listed", f.listed(limit), want)
	}
}

func badCursor(f *fixture) {
	f.put(f.document("a", 1))
	for _, bad := range []string{"x", "not a cursor", "AAAA", "eyJub3BlIjoxfQ", "%%%", "\x00"} {
		_, _, err := f.Documents(f.Context(), f.kind, bad, 10)
		if err == nil {
			f.Errorf("cursor %q was taken", bad)
			continue
		}
		f.mustBe(err, push.ErrCursor)
	}
}

func apart(f *fixture) {
	mine := f.document("name", 1)
	f.put(mine)
	other := *f
	other.kind += "-other"
	theirs := other.document("name", 1)
	theirs.Body = []byte(`"theirs"`)
	other.put(theirs)
	f.same("mine", f.get("name"), mine)
	f.same("listed", other.listed(10), []document.Document{theirs})
	f.must(other.DeleteDocument(f.Context(), other.kind, "name", 1))
	f.same("mine, in the end", f.get("name"), mine)
}

func cancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	f.mustBe(f.PutDocument(ctx, f.document("name", 1)), context.Canceled)
	_, err := f.Document(ctx, f.kind, "name")
	f.mustBe(err, context.Canceled)
}
