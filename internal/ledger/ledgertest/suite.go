package ledgertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Features says where a driver legitimately differs.
type Features struct {
	// Restart opens a store on data of its own; calling the returned function
	// again closes the store and opens the same data anew. Nil where the data
	// lives in a service that outlasts the process.
	Restart func(t *testing.T) func() Store
	// Lag is how long a listing (Notifications, Unenqueued) may trail a write;
	// 0 if it never does. Everything else is always up to date.
	Lag time.Duration
}

// Run holds a driver to the contract of [Store]. open may return one store for
// all cases: each works under ids and tenants of its own, so a shared table
// does. Cases run in parallel.
func Run(t *testing.T, open func(t *testing.T) Store, features Features) {
	t.Helper()
	cases := []struct {
		name string
		run  func(f *fixture)
	}{
		{"a notification is created once", createOnce},
		{"of concurrent creates exactly one wins", createConcurrently},
		{"a notification comes back as it was", roundTrip},
		{"progress advances from the version that was read", advance},
		{"of concurrent advances exactly one wins", advanceConcurrently},
		{"the outbox holds what is not enqueued", outbox},
		{"the outbox gives the oldest first", outboxOrder},
		{"what is not finished is listed until it is", unfinished},
		{"what is not finished is listed oldest first, in pages", unfinishedOrder},
		{"a tenant's notifications are listed newest first", list},
		{"a listing begins behind any place", behind},
		{"a tenant's notifications are listed oldest first from any place", accepted},
		{"a cursor is checked", badCursor},
		{"a chunk is planned once", planOnce},
		{"of concurrent plans one is kept", planConcurrently},
		{"a plan that leaves nothing open is a closed line", planClosed},
		{"plans and lines are read in ranges", ranges},
		{"a line comes back as it was", lineRoundTrip},
		{"the time of the first outcome stays", firstStays},
		{"what is not there is not found", notFound},
		{"a line is saved from the epoch that was read", fencing},
		{"of concurrent claims exactly one wins", claimConcurrently},
		{"a closed line never changes", closedStays},
		{"a closed line is reopened from the epoch that was read", reopen},
		{"only a closed line is reopened", reopenOnlyClosed},
		{"of concurrent reopenings exactly one wins", reopenConcurrently},
		{"attempts are kept in order", attemptsInOrder},
		{"attempts are written with their line or not at all", attemptsAtomic},
		{"a recipient is erased from target and message, and nothing else changes", eraseRecipients},
		{"of concurrent erasures none is lost", eraseConcurrently},
		{"hashes of a plan are erased", eraseHashes},
		{"what is kept as long is listed in the order of acceptance", agedByKeep},
		{"what is retired is absent, and erased later", retire},
		{"what moves is not retired", notRetired},
		{"what is retired is erased in pieces", eraseInPieces},
		{"counts are the sum of the lines", countsAddUp},
		{"counts balance along a random walk", randomWalk},
		{"notifications do not see each other's lines", isolation},
		{"a cancelled context is an error", cancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&fixture{T: t, Store: open(t), tenant: string(push.NewID("tenant")), lag: features.Lag})
		})
	}
	t.Run("what was written survives a restart", func(t *testing.T) {
		t.Parallel()
		if features.Restart == nil {
			t.Skip("the data lives in a service")
		}
		restart(t, features.Restart(t))
	})
}

// A fixture is what one case works with.
type fixture struct {
	*testing.T
	Store

	tenant string
	lag    time.Duration
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
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// eventually repeats check until it says "" or the driver's lag is over.
func (f *fixture) eventually(check func() string) {
	f.Helper()
	deadline := time.Now().Add(f.lag)
	for {
		problem := check()
		if problem == "" {
			return
		}
		if !time.Now().Before(deadline) {
			f.Fatal(problem)
		}
		pause := time.NewTimer(f.lag / 20)
		select {
		case <-pause.C:
		case <-f.Context().Done():
			f.Fatal(problem)
		}
	}
}

// notification returns one that is on its way: not in the outbox.
func (f *fixture) notification() push.Notification {
	return push.Notification{
		ID: push.NewID(push.PrefixNotification), Tenant: f.tenant,
		Target:     push.Target{Tokens: []push.Token{"token-1", "token-2"}},
		Message:    push.Message(`{"notification":{"title":"Hi"}}`),
		Priority:   push.PriorityNormal,
		Guarantee:  push.AtLeastOnce,
		AcceptedAt: epoch(),
		Progress:   push.Progress{State: push.StateAccepted, Enqueued: true, Sources: 2, Pages: 1},
	}
}

func (f *fixture) create(n push.Notification) push.Notification {
	f.Helper()
	stored, created, err := f.Create(f.Context(), n)
	f.must(err)
	if !created {
		f.Fatalf("%s exists already", n.ID)
	}
	return stored
}

// plan returns a chunk of size open recipients.
func (f *fixture) plan(id push.ID, seq, size int) ledger.Plan {
	p := ledger.Plan{
		Ref: push.ChunkRef{Notification: id, Seq: seq}, Tenant: f.tenant,
		FirstLine: int64(seq*size + 1), Sources: size,
		Hashes: make([]uint64, size), Cells: make([]ledger.Cell, size),
	}
	for i := range p.Hashes {
		// High and low bits matter: a driver that stores signed integers or text
		// must bring both back.
		p.Hashes[i] = ^uint64(0) - uint64(seq*size+i)
	}
	return p
}

// planned plans one chunk and returns its line.
func (f *fixture) planned(p ledger.Plan) ledger.Line {
	f.Helper()
	lines, err := f.Plan(f.Context(), []ledger.Plan{p}, epoch())
	f.must(err)
	if len(lines) != 1 {
		f.Fatalf("Plan of one chunk returned %d lines", len(lines))
	}
	return lines[0]
}

// claimed claims a line for owner and saves it.
func (f *fixture) claimed(l ledger.Line, owner string) ledger.Line {
	f.Helper()
	next, err := l.Claim(owner, l.Turn, l.UpdatedAt.Add(ledger.FreshFor))
	f.must(err)
	f.must(f.SaveLine(f.Context(), next, l.Epoch, nil))
	return next
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

func restart(t *testing.T, open func() Store) {
	t.Helper()
	f := &fixture{T: t, Store: open(), tenant: string(push.NewID("tenant"))}
	waiting := f.notification()
	waiting.AcceptedAt = ancient()
	waiting.Progress.Enqueued = false
	waiting = f.create(waiting)
	line := f.claimed(f.planned(f.plan(waiting.ID, 0, 3)), "owner")
	line.Settle(1, push.CodeSent, false)
	evidence := []ledger.Attempt{{Cell: 1, Attempt: 1, Code: push.CodeSent, At: epoch().Truncate(time.Millisecond), Detail: "m/1"}}
	f.must(f.SaveLine(t.Context(), line, line.Epoch, evidence))

	f.Store = open()
	got, err := f.Notification(t.Context(), waiting.ID)
	f.must(err)
	f.same("notification", got, waiting)
	ids := f.waiting()
	f.same("outbox", ids, []push.ID{waiting.ID})
	gotLine, err := f.Line(t.Context(), line.Ref)
	f.must(err)
	f.same("line", gotLine, line)
	attempts, err := f.Attempts(t.Context(), line.Ref)
	f.must(err)
	f.same("attempts", attempts, evidence)
}

func describe(ids []push.ID) string { return fmt.Sprintf("%d: %v", len(ids), ids) }
