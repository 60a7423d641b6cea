// Package batchtest is the conformance suite of the page store, and the plainest
// store that passes it: [Memory], for tests of what stands on the port. Every driver of
// [batch.Pages] runs it.
package batchtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

// Features says where a driver legitimately differs.
type Features struct {
	// Restart opens a store on data of its own; calling the returned function
	// again closes the store and opens the same data anew. Nil where the data
	// lives in a service that outlasts the process.
	Restart func(t *testing.T) func() batch.Pages
	// Racy says that two concurrent puts of one page may both be told that theirs
	// is stored, because the backend has no conditional put. Later readers still
	// agree on one.
	Racy bool
}

// Run holds a driver to the contract of [batch.Pages]. open may return one
// store for all cases: each works under an id of its own. Cases run in parallel.
func Run(t *testing.T, open func(t *testing.T) batch.Pages, features Features) {
	t.Helper()
	cases := []struct {
		name string
		run  func(f *fixture)
	}{
		{"a page comes back as it was", roundTrip},
		{"the first put of a page holds", putOnce},
		{"of concurrent puts one holds", func(f *fixture) { putConcurrently(f, features) }},
		{"a page of 4 MiB fits", largest},
		{"ids, kinds and numbers are apart", apart},
		{"a page that is there is replaced", replace},
		{"all pages of a notification are deleted", deletePages},
		{"a cancelled context is an error", cancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&fixture{T: t, Pages: open(t), id: push.NewID(push.PrefixBatch)})
		})
	}
	t.Run("what was written survives a restart", func(t *testing.T) {
		t.Parallel()
		if features.Restart == nil {
			t.Skip("the data lives in a service")
		}
		reopen := features.Restart(t)
		f := &fixture{T: t, Pages: reopen(), id: push.NewID(push.PrefixBatch)}
		f.put(push.PageUpload, 0, []byte("page"))
		f.Pages = reopen()
		f.want(push.PageUpload, 0, []byte("page"))
	})
}

// A fixture is what one case works with.
type fixture struct {
	*testing.T
	batch.Pages

	id push.ID
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

// put stores a page that must be new.
func (f *fixture) put(kind push.PageKind, n int, data []byte) {
	f.Helper()
	stored, err := f.PutPage(f.Context(), f.id, kind, n, data)
	f.must(err)
	if !bytes.Equal(stored, data) {
		f.Fatalf("page %s/%d: stored %d bytes, want the %d given", kind, n, len(stored), len(data))
	}
}

func (f *fixture) want(kind push.PageKind, n int, want []byte) {
	f.Helper()
	got, err := f.Page(f.Context(), f.id, kind, n)
	f.must(err)
	if !bytes.Equal(got, want) {
		f.Fatalf("page %s/%d: %d bytes, not the %d stored", kind, n, len(got), len(want))
	}
}

func (f *fixture) wantGone(kind push.PageKind, n int) {
	f.Helper()
	_, err := f.Page(f.Context(), f.id, kind, n)
	f.mustBe(err, push.ErrNotFound)
}

func roundTrip(f *fixture) {
	for n, data := range []string{"{}\n", "größer 🐝", "\x00\x01\xff", ""} {
		f.put(push.PageUpload, n, []byte(data))
		f.want(push.PageUpload, n, []byte(data))
	}
	f.wantGone(push.PageUpload, 99)
}

func putOnce(f *fixture) {
	f.put(push.PagePlan, 3, []byte("first"))
	stored, err := f.PutPage(f.Context(), f.id, push.PagePlan, 3, []byte("second"))
	f.must(err)
	if string(stored) != "first" {
		f.Errorf("the second put returned %q", stored)
	}
	f.want(push.PagePlan, 3, []byte("first"))
}

func putConcurrently(f *fixture, features Features) {
	const callers = 6
	var wg sync.WaitGroup
	results := make([]string, callers)
	for i := range callers {
		wg.Go(func() {
			stored, err := f.PutPage(f.Context(), f.id, push.PagePlan, 0, fmt.Appendf(nil, "cut by %d", i))
			if err != nil {
				f.Error(err)
			}
			results[i] = string(stored)
		})
	}
	wg.Wait()
	held, err := f.Page(f.Context(), f.id, push.PagePlan, 0)
	f.must(err)
	for i, r := range results {
		if r != string(held) && !features.Racy {
			f.Errorf("caller %d was told %q, held is %q", i, r, held)
		}
	}
}

func largest(f *fixture) {
	data := make([]byte, push.MaxPageBytes)
	r := rand.NewPCG(1, 2)
	for i := range data {
		data[i] = byte(r.Uint64())
	}
	f.put(push.PageUpload, 0, data)
	f.want(push.PageUpload, 0, data)
}

func apart(f *fixture) {
	kinds := []push.PageKind{push.PageUpload, push.PagePlan, push.PageInvalid}
	other := *f
	other.id = push.NewID(push.PrefixBatch)
	for _, g := range []*fixture{f, &other} {
		for _, kind := range kinds {
			for _, n := range []int{0, 1, 10, 1_000_000} {
				g.put(kind, n, fmt.Appendf(nil, "%s %s %d", g.id, kind, n))
			}
		}
	}
	for _, g := range []*fixture{f, &other} {
		for _, kind := range kinds {
			for _, n := range []int{0, 1, 10, 1_000_000} {
				g.want(kind, n, fmt.Appendf(nil, "%s %s %d", g.id, kind, n))
			}
		}
	}
}

func replace(f *fixture) {
	f.put(push.PagePlan, 0, []byte("first"))
	f.put(push.PagePlan, 1, []byte("its neighbour"))
	f.must(f.ReplacePage(f.Context(), f.id, push.PagePlan, 0, []byte("second, and longer")))
	f.want(push.PagePlan, 0, []byte("second, and longer"))
	f.want(push.PagePlan, 1, []byte("its neighbour"))
	f.mustBe(f.ReplacePage(f.Context(), f.id, push.PageUpload, 0, []byte("x")), push.ErrNotFound)
	f.wantGone(push.PageUpload, 0)
}

func deletePages(f *fixture) {
	const pages = 30
	other := *f
	other.id = push.NewID(push.PrefixBatch)
	other.put(push.PageUpload, 0, []byte("theirs"))
	for n := range pages {
		f.put(push.PageUpload, n, fmt.Appendf(nil, "page %d", n))
	}
	f.put(push.PageInvalid, 0, []byte("invalid"))
	f.must(f.DeletePages(f.Context(), f.id))
	for n := range pages {
		f.wantGone(push.PageUpload, n)
	}
	f.wantGone(push.PageInvalid, 0)
	other.want(push.PageUpload, 0, []byte("theirs"))
	f.must(f.DeletePages(f.Context(), f.id))
	f.put(push.PageUpload, 0, []byte("anew"))
}

func cancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	_, putErr := f.PutPage(ctx, f.id, push.PageUpload, 0, []byte("page"))
	_, getErr := f.Page(ctx, f.id, push.PageUpload, 0)
	f.mustBe(putErr, context.Canceled)
	f.mustBe(getErr, context.Canceled)
}
