package watch

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

// A million recipients as uploads cut them: 350 tokens to a chunk, ten chunks to
// a page.
const (
	chunkSize     = 350
	chunksPerPage = 10
	pages         = 290
	recipients    = pages * chunksPerPage * chunkSize
)

// million is a batch of a million, planned, in a ledger of its own.
type million struct {
	store *sqlite.Store
	dir   string
	id    push.ID
	lines []ledger.Line
}

func token(i int) push.Token { return push.Token("token-" + strconv.Itoa(i)) }

func newMillion(tb testing.TB) *million {
	tb.Helper()
	dir := tb.TempDir()
	b, err := sqlite.Open(tb.Context(), dir, zap.NewNop())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = b.Close() })
	m := &million{store: b.Store(), dir: dir, id: push.NewID(push.PrefixBatch)}
	now := time.Now().UTC().Truncate(time.Millisecond)
	n := push.Notification{
		ID: m.id, Tenant: "default", Message: push.Message(`{"notification":{"title":"Hi"}}`), Priority: push.PriorityBulk,
		Guarantee: push.AtLeastOnce, AcceptedAt: now,
		Progress: push.Progress{
			Version: 1, State: push.StateSending, StartedAt: now, Enqueued: true, Sources: recipients, Pages: pages, Watermark: recipients,
		},
	}
	if _, _, err := m.store.Create(tb.Context(), n); err != nil {
		tb.Fatal(err)
	}
	for page := range pages {
		plans := make([]ledger.Plan, chunksPerPage)
		for i := range plans {
			first := (page*chunksPerPage + i) * chunkSize
			plans[i] = ledger.Plan{
				Ref: push.ChunkRef{Notification: m.id, Seq: page*push.ChunksPerPage + i}, Tenant: n.Tenant, FirstLine: int64(first + 1),
				Sources: chunkSize, Last: i == chunksPerPage-1, Hashes: make([]uint64, chunkSize), Cells: make([]ledger.Cell, chunkSize),
			}
			for j := range plans[i].Hashes {
				plans[i].Hashes[j] = push.Address{Kind: push.KindToken, Value: token(first + j)}.Hash()
			}
		}
		lines, err := m.store.Plan(tb.Context(), plans, now)
		if err != nil {
			tb.Fatal(err)
		}
		m.lines = append(m.lines, lines...)
	}
	return m
}

// send gives every recipient of the next chunks its outcome, one in a hundred
// not a good one.
func (m *million) send(tb testing.TB, chunks int) {
	tb.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	for _, l := range m.lines[:chunks] {
		next, err := l.Claim("test", 0, now)
		if err != nil {
			tb.Fatal(err)
		}
		for c := range next.Cells {
			code := push.CodeSent
			if c%100 == 0 {
				code = push.CodeFCMUnregistered
			}
			next.Settle(c, code, false)
		}
		if err := m.store.SaveLine(tb.Context(), next.Close(now), l.Epoch, nil); err != nil {
			tb.Fatal(err)
		}
	}
	m.lines = m.lines[chunks:]
}

// A thousand people watch a batch of a million from its beginning to its end.
// The server takes less than 150 MiB for that, nobody sees time go back, and
// everybody sees the end.
func TestThousandWatchers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a batch of a million takes a while")
	}
	const most = 150 << 20
	watchers := 1000
	if raced.On {
		watchers = 100 // everything takes ten times as long
	}
	m := newMillion(t)
	srv := start(t, m.dir)
	c := connect(t, srv.url)
	idle := srv.memory(t, "VmRSS")

	var watching, states atomic.Int64
	var wg, joined sync.WaitGroup
	joined.Add(watchers)
	for range watchers {
		wg.Go(func() {
			last, begun := int64(-1), false
			for p, err := range c.Watch(t.Context(), string(m.id)) {
				if err != nil {
					t.Errorf("a watch ended with %v", err)
					break
				}
				if !begun {
					begun = true
					watching.Add(1)
					joined.Done()
				}
				done := p.Counts.Accepted - p.Counts.Open
				if done < last || p.Counts.Accepted != recipients || p.Counts.Sent+p.Counts.Permanent != done {
					t.Errorf("%d follow %d: %+v", done, last, p.Counts)
				}
				last = done
				states.Add(1)
			}
			if !begun {
				joined.Done()
			}
			if last != recipients {
				t.Errorf("a watch ended at %d", last)
			}
		})
	}
	joined.Wait()
	for len(m.lines) > 0 {
		m.send(t, min(100, len(m.lines)))
	}
	wg.Wait()
	peak := srv.memory(t, "VmHWM")
	t.Logf("%d watchers, %d states seen; RSS of the server: %d MiB idle, %d MiB at most", watching.Load(), states.Load(), idle>>20, peak>>20)
	if peak > most && !raced.On {
		t.Errorf("the server took %d MiB, more than %d", peak>>20, most>>20)
	}
}

// BenchmarkMillion asks how a batch of a million stands, and for one delivery of
// it: one call after the other, and as a crowd would. The
// server is another process on the same ledger.
func BenchmarkMillion(b *testing.B) {
	m := newMillion(b)
	m.send(b, len(m.lines)/2)
	srv := start(b, m.dir)
	c := connect(b, srv.url)
	id := string(m.id)
	for _, bench := range []struct {
		name string
		call func() error
	}{
		{"get", func() error { _, err := c.Batch(b.Context(), id); return err }},
		{"trace by line", func() error { _, err := c.Trace(b.Context(), id, client.LineKey(recipients/3)); return err }},
		{"trace by token", func() error {
			_, err := c.Trace(b.Context(), id, client.TokenKey(token(recipients/3).Reveal()))
			return err
		}},
	} {
		b.Run(bench.name, func(b *testing.B) { quantiles(b, bench.call) })
		b.Run(bench.name+", 16 at once", func(b *testing.B) {
			b.SetParallelism(8)
			var mu sync.Mutex
			var took []time.Duration
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					begun := time.Now()
					if err := bench.call(); err != nil {
						b.Error(err)
					}
					mu.Lock()
					took = append(took, time.Since(begun))
					mu.Unlock()
				}
			})
			report(b, took)
		})
	}
}

// quantiles measures calls that come one by one, too far apart to share anything.
func quantiles(b *testing.B, call func() error) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		if err := call(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	report(b, took)
}

func report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[min(int(q*float64(len(took))), len(took)-1)].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
}
