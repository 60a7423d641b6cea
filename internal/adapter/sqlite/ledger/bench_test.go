//go:build unix

package ledger

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

const benchChunk = 350 // recipients of a chunk: what fits 60 KiB

func benchNotification(id push.ID) push.Notification {
	return push.Notification{
		ID: id, Tenant: "tenant", Target: push.Target{Tokens: []push.Token{push.Token(strings.Repeat("t", 163))}},
		Message: push.Message(`{"notification":{"title":"Hi","body":"There"}}`), AcceptedAt: benchTime(),
		Progress: push.Progress{State: push.StateAccepted, Sources: 1, Pages: 1},
	}
}

func benchPlans(id push.ID, n int) []ledger.Plan {
	plans := make([]ledger.Plan, n)
	for i := range plans {
		plans[i] = ledger.Plan{
			Ref: push.ChunkRef{Notification: id, Seq: i}, Tenant: "tenant", Sources: benchChunk,
			Hashes: make([]uint64, benchChunk), Cells: make([]ledger.Cell, benchChunk),
		}
	}
	return plans
}

// BenchmarkCountsMillion sums the lines of a million recipients.
func BenchmarkCountsMillion(b *testing.B) {
	s := openStore(b)
	id := push.NewID(push.PrefixBatch)
	if _, err := s.Plan(b.Context(), benchPlans(id, 2900), benchTime()); err != nil {
		b.Fatal(err)
	}
	drivertest.Meter(b, 1, "sums")
	for b.Loop() {
		c, err := s.Counts(b.Context(), id)
		if err != nil || c.Recipients != 2900*benchChunk {
			b.Fatal(c.Recipients, err)
		}
	}
}

// BenchmarkCreate is what accepting a notification writes, with many callers.
func BenchmarkCreate(b *testing.B) {
	s := openStore(b)
	b.SetParallelism(50)
	drivertest.Meter(b, 1, "notifications")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := s.Create(b.Context(), benchNotification(push.NewID(push.PrefixNotification))); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkPlan stores the plan of one upload page.
func BenchmarkPlan(b *testing.B) {
	s := openStore(b)
	drivertest.Meter(b, 60*benchChunk, "recipients")
	for b.Loop() {
		if _, err := s.Plan(b.Context(), benchPlans(push.NewID(push.PrefixBatch), 60), benchTime()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSaveLine is a checkpoint of 50 results, from eight chunks at once.
func BenchmarkSaveLine(b *testing.B) {
	s := openStore(b)
	lines, err := s.Plan(b.Context(), benchPlans(push.NewID(push.PrefixBatch), 500), benchTime())
	if err != nil {
		b.Fatal(err)
	}
	attempts := make([]ledger.Attempt, 50)
	for i := range attempts {
		attempts[i] = ledger.Attempt{
			Cell: i, Attempt: 1, Code: push.CodeSent, At: benchTime().Add(time.Duration(i) * time.Millisecond), Latency: 50 * time.Millisecond,
			Detail: fmt.Sprintf("projects/project/messages/0:%016d%%31bd1c96", i*7919),
		}
	}
	var n atomic.Int64
	b.SetParallelism(4)
	drivertest.Meter(b, len(attempts), "outcomes")
	b.RunParallel(func(pb *testing.PB) {
		l := lines[int(n.Add(1))%len(lines)]
		for pb.Next() {
			if err := s.SaveLine(b.Context(), l, 0, attempts); err != nil {
				b.Error(err)
			}
		}
	})
}
