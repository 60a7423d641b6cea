package httpapi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/replaytest"
	"github.com/belfry-push/belfry/internal/worker"
)

// accounts are a ledger that a replay may look at and, but for its marks, change.
type accounts struct {
	mu    sync.Mutex
	heads map[push.ID]push.Notification
	lines map[push.ChunkRef]ledger.Line
}

func (b *accounts) Notification(_ context.Context, id push.ID) (push.Notification, error) {
	if n, ok := b.heads[id]; ok {
		return n, nil
	}
	return push.Notification{}, push.ErrNotFound
}

func (b *accounts) Advance(context.Context, push.ID, push.Progress) error { return nil }

func (b *accounts) Line(_ context.Context, ref push.ChunkRef) (ledger.Line, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l, ok := b.lines[ref]; ok {
		return l, nil
	}
	return ledger.Line{}, push.ErrNotFound
}

func (b *accounts) Attempts(context.Context, push.ChunkRef) ([]ledger.Attempt, error) {
	return []ledger.Attempt{{Attempt: 1, Code: push.CodeFCMUnavailable, At: testNow(), Latency: time.Second}}, nil
}

func (b *accounts) ReopenLine(_ context.Context, l ledger.Line, _ int64, _ []ledger.Attempt) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range l.Cells { // delivered at once
		l.Cells[i] = ledger.CellOf(push.CodeSent, false)
	}
	b.lines[l.Ref] = l
	return nil
}

func (b *accounts) SaveLine(context.Context, ledger.Line, int64, []ledger.Attempt) error { return nil }

// papers are documents in memory.
type papers struct {
	mu   sync.Mutex
	docs map[string]document.Document
}

func (p *papers) Document(_ context.Context, kind, name string) (document.Document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.docs[kind+"/"+name]; ok {
		return d, nil
	}
	return document.Document{}, push.ErrNotFound
}

func (p *papers) PutDocument(_ context.Context, d document.Document) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.docs[d.Kind+"/"+d.Name].Version != d.Version-1 {
		return push.ErrConflict
	}
	p.docs[d.Kind+"/"+d.Name] = d
	return nil
}

func (p *papers) DeleteDocument(context.Context, string, string, int64) error { return nil }

func (p *papers) Documents(_ context.Context, kind, _ string, _ int) (out []document.Document, next string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(p.docs)) {
		if strings.HasPrefix(key, kind+"/") {
			out = append(out, p.docs[key])
		}
	}
	return out, "", nil
}

type nowhere struct{}

func (nowhere) Send(context.Context, []worker.Outgoing) error { return nil }

// newRoom returns the real room of dead letters on stores in memory, with three
// letters of tenant default, one of tenant other, and one message of nobody's.
func newRoom(tb testing.TB) *replay.Room {
	tb.Helper()
	now := testNow()
	note := push.Notification{ID: batID, Tenant: "default", Message: push.Message(`{"notification":{"title":"Hi"}}`), AcceptedAt: now, TTL: push.MaxTTL}
	line := ledger.Line{Ref: push.ChunkRef{Notification: batID}, Tenant: "default", State: ledger.StateClosed, Cells: make([]ledger.Cell, 4)}
	letters := make([]push.Letter, 0, 5)
	for i := range 4 {
		line.Cells[i] = ledger.CellOf(push.CodeAttemptsExhausted, false)
		l := push.Letter{
			Kind: push.LetterRecipient, Tenant: "default", App: "app", Queue: push.QueueBulk, Code: push.CodeAttemptsExhausted, LastCode: push.CodeFCMUnavailable,
			Detail: "overloaded", Attempts: 3, Notification: batID, Cell: i, Labels: map[string]string{"campaign": "x"}, Fingerprint: "f1",
			Recipient: push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("secret-token-%d", i))}, UserID: fmt.Sprintf("u%d", i)},
			DeadAt:    now.Add(-time.Duration(i+1) * time.Hour),
		}
		if i == 3 {
			l.Tenant = "other"
		}
		letters = append(letters, l)
	}
	letters = append(letters, push.Letter{Kind: push.LetterMessage, Cell: -1, Queue: push.QueueEvents, Code: push.CodeUndecodable, Body: []byte("\x00secret"), Fingerprint: "f2", DeadAt: now})
	for i := range letters {
		l := &letters[i]
		l.ID = push.DerivedID(push.PrefixDeadLetter, "", strconv.Itoa(i))
		l.State, l.Version, l.StoredAt = push.LetterParked, 1, now.Add(-time.Minute)
	}
	store := &replaytest.Memory{}
	if _, err := store.PutLetters(tb.Context(), letters); err != nil {
		tb.Fatal(err)
	}
	sources := map[string]worker.Sink{}
	for _, q := range push.Queues() {
		sources[q] = nowhere{}
	}
	ledgers := &accounts{heads: map[push.ID]push.Notification{batID: note}, lines: map[push.ChunkRef]ledger.Line{line.Ref: line}}
	room, err := replay.New(replay.Config{
		Letters: store, Notifications: ledgers, Lines: ledgers, Documents: &papers{docs: map[string]document.Document{}}, Sources: sources, Software: "v2",
		Owner: "test", Retention: replay.Retention{Parked: time.Hour, Warn: time.Hour},
		Log: zap.NewNop(), Metrics: replay.NewMetrics(prometheus.NewRegistry()), Now: testNow,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return room
}
