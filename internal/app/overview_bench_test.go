package app

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/status"
	"github.com/belfry-push/belfry/internal/worker"
)

// BenchmarkStatus looks at ten million open recipients in fifty batches, whose chunks are on their queue, and a million dead
// letters of twelve causes and forty tenants. Each look is the first of its process: of a server, of a command on the data
// directory, and one that waits for everything. It takes minutes to build.
func BenchmarkStatus(b *testing.B) {
	const batches, chunks, each, letters = 50, 400, 500, 1_000_000
	c := config.Store{Backend: config.BackendEmbedded, Data: b.TempDir(), Visibility: 30 * time.Second}
	back, err := Opener(c, zap.NewNop())(b.Context(), prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = back.Close(b.Context()) })
	now := time.Now().UTC()
	for k := range batches {
		n := push.Notification{
			ID: push.NewID(push.PrefixBatch), Tenant: fmt.Sprintf("tenant-%d", k%40), Message: push.Message(`{"notification":{"title":"Hi"}}`),
			AcceptedAt: now, Progress: push.Progress{Version: 1, State: push.StateSending, Enqueued: true, Sources: chunks * each, Pages: 1},
		}
		if _, _, err := back.Store.Create(b.Context(), n); err != nil {
			b.Fatal(err)
		}
		plans := make([]ledger.Plan, chunks)
		var msgs []worker.Outgoing
		for i := range plans {
			plans[i] = ledger.Plan{
				Ref: push.ChunkRef{Notification: n.ID, Seq: i}, Tenant: n.Tenant, Sources: each, Hashes: make([]uint64, each),
				Cells: make([]ledger.Cell, each),
			}
			msgs = append(msgs, worker.Outgoing{Body: make([]byte, 40_000), Group: n.Tenant})
		}
		if _, err := back.Store.Plan(b.Context(), plans, now); err != nil {
			b.Fatal(err)
		}
		for i := range msgs {
			for k := range msgs[i].Body {
				msgs[i].Body[k] = 'x'
			}
		}
		for i := 0; i < len(msgs); i += 6 { // a call may have 256 KiB
			if err := back.Queues[push.QueueBulk].Send(b.Context(), msgs[i:min(i+6, len(msgs))]); err != nil {
				b.Fatal(err)
			}
		}
	}
	causes := []push.Code{push.CodeFCMUnavailable, push.CodeFCMInternal, push.CodeNetTimeout, push.CodeFCMQuotaExceeded}
	for from := 0; from < letters; from += 1000 {
		ls := make([]push.Letter, 1000)
		for i := range ls {
			k := from + i
			cause, app := causes[k%len(causes)], fmt.Sprintf("app-%d", k/10%3)
			ls[i] = push.Letter{
				ID: push.DerivedID(push.PrefixDeadLetter, "t", strconv.Itoa(k)), Kind: push.LetterRecipient, Tenant: fmt.Sprintf("tenant-%d", k/10%40),
				App: app, Queue: push.QueueBulk, Code: push.CodeAttemptsExhausted, LastCode: cause, Fingerprint: app + "-" + cause.String(),
				Notification: push.ID(fmt.Sprintf("ntf_01890a5d-ac96-774b-bcce-%012d", k/10)), Cell: k % 10, Turn: 5,
				State: push.LetterParked, AcceptedAt: now, DeadAt: now, StoredAt: now, Version: 1,
			}
		}
		if _, err := back.Store.PutLetters(b.Context(), ls); err != nil {
			b.Fatal(err)
		}
	}
	open := func(patience, sums time.Duration) *status.Room {
		reports := report.New(report.Config{
			Notifications: back.Store, Chunks: back.Store, Pages: back.Store, Devices: back.Store, Log: zap.NewNop(),
		})
		pauses := pause.New(back.Store, nil, zap.NewNop())
		return NewStatus(back, Overview{
			Reports: reports, Pauses: pauses, Overrides: override.New(back.Store, time.Now, zap.NewNop()), Budget: patience, Sums: sums,
		}, time.Now)
	}
	for _, c := range []struct {
		name           string
		patience, sums time.Duration
	}{{"served", 0, 0}, {"command", 5 * time.Second, 200 * time.Millisecond}, {"whole", time.Minute, time.Minute}} {
		b.Run(c.name, func(b *testing.B) {
			var missing, uncounted float64
			for b.Loop() {
				b.StopTimer()
				room := open(c.patience, c.sums)
				b.StartTimer()
				s := room.Look(b.Context(), "")
				b.StopTimer()
				missing += float64(len(s.Missing))
				for i := range s.Running {
					if !s.Running[i].Counted {
						uncounted++
					}
				}
				room.Close()
				b.StartTimer()
			}
			b.ReportMetric(missing/float64(b.N), "missing/op")
			b.ReportMetric(uncounted/float64(b.N), "uncounted/op")
		})
	}
}
