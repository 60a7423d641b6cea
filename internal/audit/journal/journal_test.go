package journal_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/audittest"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
)

const tenant = "acme"

func open(tb testing.TB, s audit.Store) *journal.Journal {
	tb.Helper()
	return journal.New(journal.Config{
		Store: s, Keys: audittest.Keys(tb), Log: zap.NewNop(), Metrics: journal.NewMetrics(prometheus.NewRegistry()),
	})
}

func closed(tb testing.TB, j *journal.Journal) {
	tb.Helper()
	if err := j.Close(context.WithoutCancel(tb.Context())); err != nil {
		tb.Error(err)
	}
}

func entry(n int) audit.Entry {
	return audit.Entry{Tenant: tenant, Who: audit.Who{Name: "key:1"}, Action: "createNotification", Kind: audit.Change, Call: strconv.Itoa(n)}
}

// whole verifies what is stored, and returns the request ids in their order.
func whole(tb testing.TB, s audit.Store) (report audit.Report, calls []string) {
	tb.Helper()
	r := journal.NewReader(s)
	v := audit.NewVerifier(tenant, 1, audit.Hash{}, audittest.Keys(tb).Public(), func(yield func(audit.Head) bool) {
		for h, err := range r.Heads(tb.Context(), tenant) {
			if err != nil || !yield(h) {
				return
			}
		}
	})
	for part, err := range r.Export(tb.Context(), tenant, 1) {
		switch {
		case err != nil:
			tb.Fatal(err)
		case part.Line != nil:
			v.Line("", *part.Line)
		default:
			v.Head("", *part.Head)
		}
	}
	report = v.Finish()
	if !report.OK() {
		tb.Fatalf("%+v", report.Findings)
	}
	var all []audit.Entry
	for before := int64(0); ; {
		page, next, err := r.List(tb.Context(), tenant, &journal.Filter{}, before, 1000)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, page...)
		if before = next; next == 0 {
			break
		}
	}
	if int64(len(all)) != report.Entries {
		tb.Fatalf("%d entries of %d", len(all), report.Entries)
	}
	for _, e := range slices.Backward(all) {
		calls = append(calls, e.Call)
	}
	return report, calls
}

// Several processes write one tenant's chain at once: it has no gap, no fork, and every
// entry once.
func TestSeveralProcesses(t *testing.T) {
	t.Parallel()
	const processes, callers, each = 3, 8, 25
	store := &audittest.Memory{}
	var work sync.WaitGroup
	for p := range processes {
		j := open(t, store)
		defer closed(t, j)
		for c := range callers {
			work.Go(func() {
				for n := range each {
					if err := j.Record(t.Context(), entry(p*1_000_000+c*1_000+n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	work.Wait()
	_, calls := whole(t, store)
	slices.Sort(calls)
	if n := len(slices.Compact(calls)); n != processes*callers*each {
		t.Errorf("%d of %d entries", n, processes*callers*each)
	}
}

// What comes while a block is being written is one block.
func TestGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slow{Memory: &audittest.Memory{}}
		j := open(t, store)
		var work sync.WaitGroup
		const calls = 1000
		for n := range calls {
			work.Go(func() {
				if err := j.Record(t.Context(), entry(n)); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		if most := int64(2 + calls/audit.MaxEntries); store.writes.Load() > most {
			t.Errorf("%d writes, want at most %d", store.writes.Load(), most)
		}
		closed(t, j)
		whole(t, store)
	})
}

// slow takes a while for each write.
type slow struct {
	*audittest.Memory

	writes atomic.Int64
}

func (s *slow) AppendAudit(ctx context.Context, b audit.Block) error {
	s.writes.Add(1)
	time.Sleep(5 * time.Millisecond)
	return s.Memory.AppendAudit(ctx, b)
}

// While the store is away nothing is acknowledged; what happened meanwhile is recorded when
// it is back, once, and says how it was answered.
func TestStoreIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := push.WithOutage(push.OutageDown, errors.New("away"))
		var down atomic.Bool
		store := &audittest.Memory{Fail: func() error {
			if down.Load() {
				return away
			}
			return nil
		}}
		j := open(t, store)
		must := func(err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Fatalf("got %v, want %v", err, want)
			}
		}
		must(j.Record(t.Context(), entry(1)), nil)
		must(j.Ready(), nil)
		down.Store(true)
		must(j.Record(t.Context(), entry(2)), away)
		must(j.Ready(), away)
		must(j.Record(t.Context(), entry(3)), away)
		j.Offer(entry(4))
		time.Sleep(10 * time.Second)
		must(j.Ready(), away)
		down.Store(false)
		time.Sleep(2500 * time.Millisecond)
		must(j.Ready(), nil)
		must(j.Record(t.Context(), entry(5)), nil)
		closed(t, j)
		must(j.Record(t.Context(), entry(6)), j.Ready())
		if j.Ready() == nil {
			t.Error("closed, and ready")
		}
		_, calls := whole(t, store)
		if !slices.Equal(calls, []string{"1", "2", "3", "4", "5"}) {
			t.Errorf("stored %v", calls)
		}
	})
}

// A write whose answer was lost is not made twice.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &forgetful{Memory: &audittest.Memory{}}
		j := open(t, store)
		if err := j.Record(t.Context(), entry(1)); err == nil {
			t.Error("want an error")
		}
		time.Sleep(3 * time.Second)
		if err := j.Record(t.Context(), entry(2)); err != nil {
			t.Error(err)
		}
		closed(t, j)
		if _, calls := whole(t, store); !slices.Equal(calls, []string{"1", "2"}) {
			t.Errorf("stored %v", calls)
		}
	})
}

type forgetful struct {
	*audittest.Memory

	forgot bool
}

func (f *forgetful) AppendAudit(ctx context.Context, b audit.Block) error {
	err := f.Memory.AppendAudit(ctx, b)
	if !f.forgot {
		f.forgot = true
		return context.DeadlineExceeded
	}
	return err
}

// What cannot be stored in the end is told, and the stop takes no longer than it may.
func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, &audittest.Memory{Fail: func() error { return errors.New("away") }})
		j.Offer(entry(1))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		if err := j.Close(ctx); err == nil || time.Since(began) > 6*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// A chain that got shorter while it was in use is noticed at once.
func TestShrunk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.ErrorLevel)
		store := &swapped{Store: &audittest.Memory{}}
		j := journal.New(journal.Config{
			Store: store, Keys: audittest.Keys(t), Log: zap.New(core), Metrics: journal.NewMetrics(prometheus.NewRegistry()),
		})
		for n := range 3 {
			if err := j.Record(t.Context(), entry(n)); err != nil {
				t.Fatal(err)
			}
		}
		store.Store = &audittest.Memory{}
		store.conflict = true
		if err := j.Record(t.Context(), entry(4)); err != nil {
			t.Fatal(err)
		}
		if logs.FilterMessageSnippet("somebody cut it off").Len() != 1 {
			t.Errorf("%v", logs.All())
		}
		closed(t, j)
	})
}

// swapped is a store that can be put in another's place; the next write is told of a conflict.
type swapped struct {
	audit.Store

	conflict bool
}

func (s *swapped) AppendAudit(ctx context.Context, b audit.Block) error {
	if s.conflict {
		s.conflict = false
		return push.ErrConflict
	}
	return s.Store.AppendAudit(ctx, b)
}

func TestFilter(t *testing.T) {
	t.Parallel()
	store := &audittest.Memory{}
	j := open(t, store)
	defer closed(t, j)
	for n := range 30 {
		e := entry(n)
		e.Time = time.Date(2026, 12, 1, 0, n, 0, 0, time.UTC)
		if n%3 == 0 {
			e.Action, e.Kind, e.Who.Key, e.Target = "listDevices", audit.Read, "k2", audit.Target{Kind: "devices", ID: strconv.Itoa(n)}
		}
		if err := j.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	r := journal.NewReader(store)
	for want, f := range map[int]journal.Filter{
		30: {}, 10: {Actions: []string{"listDevices"}}, 20: {Kind: audit.Change}, 1: {TargetID: "9", TargetKind: "devices"},
		5: {Who: "k2", Since: time.Date(2026, 12, 1, 0, 15, 0, 0, time.UTC)}, 4: {Until: time.Date(2026, 12, 1, 0, 4, 0, 0, time.UTC)},
	} {
		got := 0
		for before := int64(0); ; {
			page, next, err := r.List(t.Context(), tenant, &f, before, 4)
			if err != nil {
				t.Fatal(err)
			}
			got += len(page)
			if before = next; next == 0 {
				break
			}
		}
		if got != want {
			t.Errorf("%+v: %d entries, want %d", f, got, want)
		}
	}
}

// Processes that start at once with no key agree on one.
func TestKeysOfTheStore(t *testing.T) {
	t.Parallel()
	docs := &documenttest.Memory{}
	var work sync.WaitGroup
	found := make([]string, 5)
	for i := range found {
		work.Go(func() {
			k, err := journal.LoadKeys(t.Context(), "", docs, time.Now())
			if err != nil {
				t.Error(err)
				return
			}
			found[i] = k.String()
		})
	}
	work.Wait()
	if len(slices.Compact(found)) != 1 {
		t.Errorf("%v", found)
	}
}
