// Package deadletterstest has the rooms of dead letters and replays on stores in
// memory, for tests of the HTTP API.
package deadletterstest

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// Batch is the batch that the letters are of.
const Batch push.ID = "bat_01890a5d-ac96-774b-bcce-b302099a8058"

// Now is the clock of the rooms. It stands.
func Now() time.Time { return time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC) }

// delivering is a ledger on which what a replay reopens is delivered at once.
type delivering struct{ *ledgertest.Memory }

func (d delivering) ReopenLine(ctx context.Context, l ledger.Line, fromEpoch int64, marks []ledger.Attempt) error {
	if err := d.Memory.ReopenLine(ctx, l, fromEpoch, marks); err != nil {
		return err
	}
	for i := range l.Cells {
		l.Cells[i] = ledger.CellOf(push.CodeSent, false)
	}
	d.PutLine(l)
	return nil
}

// Rooms returns the real rooms of dead letters and replays on stores in memory,
// with three letters of tenant default, one of tenant other, and one message of
// nobody's.
func Rooms(tb testing.TB) (*letters.Room, *replay.Room) {
	tb.Helper()
	now := Now()
	note := push.Notification{
		ID: Batch, Tenant: "default", Message: push.Message(`{"notification":{"title":"Hi"}}`), AcceptedAt: now, TTL: push.MaxTTL,
	}
	line := ledger.Line{Ref: push.ChunkRef{Notification: Batch}, Tenant: "default", State: ledger.StateClosed, Cells: make([]ledger.Cell, 4)}
	all := make([]push.Letter, 0, 5)
	for i := range 4 {
		line.Cells[i] = ledger.CellOf(push.CodeAttemptsExhausted, false)
		l := push.Letter{
			Kind: push.LetterRecipient, Tenant: "default", App: "app", Queue: push.QueueBulk, Code: push.CodeAttemptsExhausted,
			LastCode: push.CodeFCMUnavailable,
			Detail:   "overloaded", Attempts: 3, Notification: Batch, Cell: i, Labels: map[string]string{"campaign": "x"}, Fingerprint: "f1",
			Recipient: push.Recipient{
				Address: push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("secret-token-%d", i))}, UserID: fmt.Sprintf("u%d", i),
			},
			DeadAt: now.Add(-time.Duration(i+1) * time.Hour),
		}
		if i == 3 {
			l.Tenant = "other"
		}
		all = append(all, l)
	}
	all = append(all,
		push.Letter{
			Kind: push.LetterMessage, Cell: -1, Queue: push.QueueEvents, Code: push.CodeUndecodable, Body: []byte("\x00secret"), Fingerprint: "f2",
			DeadAt: now,
		})
	for i := range all {
		l := &all[i]
		l.ID = push.DerivedID(push.PrefixDeadLetter, "", strconv.Itoa(i))
		l.State, l.Version, l.StoredAt = push.LetterParked, 1, now.Add(-time.Minute)
	}
	store := &letterstest.Memory{}
	if _, err := store.PutLetters(tb.Context(), all); err != nil {
		tb.Fatal(err)
	}
	sources := map[string]worker.Sink{}
	for _, q := range push.Queues() {
		sources[q] = &workertest.Memory{}
	}
	books := delivering{&ledgertest.Memory{}}
	books.PutNotification(note)
	books.PutLine(line)
	books.PutAttempts(line.Ref, []ledger.Attempt{{Attempt: 1, Code: push.CodeFCMUnavailable, At: Now(), Latency: time.Second}})
	docs := &documenttest.Memory{}
	kept, err := letters.New(letters.Config{
		Letters: store, Notifications: books, Lines: books, Documents: docs, Software: "v2",
		Retention: letters.Retention{Parked: time.Hour, Warn: time.Hour},
		Log:       zap.NewNop(), Metrics: letters.NewMetrics(prometheus.NewRegistry()), Now: Now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	predictions, err := predict.New(predict.Config{
		Keeper: kept, Letters: store, Notifications: books, Lines: books, Documents: docs, Queues: push.Queues(), Software: "v2", Now: Now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	replays, err := replay.New(replay.Config{
		Predict: predictions, Keeper: kept, Letters: store, Notifications: books, Lines: books, Documents: docs, Sources: sources, Owner: "test",
		Log: zap.NewNop(), Metrics: replay.NewMetrics(prometheus.NewRegistry()), Now: Now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return kept, replays
}
