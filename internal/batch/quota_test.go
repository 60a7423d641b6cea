package batch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
)

// quotas have room for so many recipients of the day, and so many that wait.
type quotas struct{ day, queued int64 }

// Count implements [batch.Quotas].
func (q *quotas) Count(_ context.Context, c push.Charge) error {
	switch {
	case c.Recipients > q.day:
		return &push.OverQuotaError{Quota: push.QuotaRecipients, Limit: 100, Wanted: c.Recipients, Left: q.day}
	case c.Queued > q.queued:
		return &push.OverQuotaError{Quota: push.QuotaQueued, Limit: 100, Wanted: c.Queued, Left: q.queued}
	}
	q.day, q.queued = q.day-c.Recipients, q.queued-c.Queued
	return nil
}

// Undo implements [batch.Quotas].
func (q *quotas) Undo(_ context.Context, c push.Charge) {
	q.day, q.queued = q.day+c.Recipients, q.queued+c.Queued
}

// Largest implements [batch.Quotas].
func (*quotas) Largest(_ context.Context, _, _ string, most int) (int, error) {
	return min(most, 7), nil
}

func linesOf(n int) *strings.Reader {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"token":"token-%d"}`+"\n", i)
	}
	return strings.NewReader(b.String())
}

func overOf(t *testing.T, err error) *push.OverQuotaError {
	t.Helper()
	over, ok := errors.AsType[*push.OverQuotaError](err)
	if !ok {
		t.Fatalf("%v", err)
	}
	return over
}

// An upload keeps what a quota has room for, says which it came to the end of, and goes on when there is room; a
// repeat counts nothing twice. Its recipients wait from its start on.
func TestQuota(t *testing.T) {
	t.Parallel()
	w, q := open(), &quotas{day: 24, queued: 29}
	cfg := w.config()
	cfg.Quotas = q
	b := batch.New(cfg)
	res, err := b.Upload(t.Context(), tenant, w.id, linesOf(30), batch.Options{Offset: 1})
	if over := overOf(t, err); over.Quota != push.QuotaRecipients || res.Accepted != 21 || res.Watermark != 21 || q.day != 3 {
		t.Fatalf("%+v, %+v, %d left", over, res, q.day)
	}
	q.day = 100
	if res, err = b.Upload(t.Context(), tenant, w.id, linesOf(30), batch.Options{Offset: 1}); err != nil || res.Accepted != 9 || q.day != 91 {
		t.Fatalf("%+v, %v, %d left", res, err, q.day)
	}
	_, err = b.Start(t.Context(), tenant, w.id)
	if over := overOf(t, err); over.Quota != push.QuotaQueued || over.Wanted != 30 || w.progress().State != push.StateUploading {
		t.Errorf("%+v", over)
	}
	q.queued = 40
	for range 2 {
		if _, err := b.Start(t.Context(), tenant, w.id); err != nil || q.queued != 10 {
			t.Errorf("%v, room for %d", err, q.queued)
		}
	}
}

// What is uploaded after an early start waits at once.
func TestQuotaOfAnEarlyStart(t *testing.T) {
	t.Parallel()
	w, q := open(), &quotas{day: 100, queued: 15}
	cfg := w.config()
	cfg.Quotas = q
	b := batch.New(cfg)
	if _, err := b.Upload(t.Context(), tenant, w.id, linesOf(10), batch.Options{Offset: 1}); err != nil || q.queued != 15 {
		t.Fatalf("%v, room for %d", err, q.queued)
	}
	if _, err := b.StartEarly(t.Context(), tenant, w.id); err != nil || q.queued != 5 {
		t.Fatalf("%v, room for %d", err, q.queued)
	}
	_, err := b.Upload(t.Context(), tenant, w.id, linesOf(30), batch.Options{Offset: 1})
	if over := overOf(t, err); over.Quota != push.QuotaQueued || q.queued != 5 || q.day != 90 {
		t.Errorf("%+v, room for %d", over, q.queued)
	}
}

// Of a batch that was deferred nothing counts here, and its pages are no larger than a quota.
func TestQuotaOfADeferredBatch(t *testing.T) {
	t.Parallel()
	w, q := open(), &quotas{}
	w.ledger.ChangeNotification(w.id, func(n *push.Notification) { n.Deferred = true })
	cfg := w.config()
	cfg.Quotas = q
	b := batch.New(cfg)
	if _, err := b.Upload(t.Context(), tenant, w.id, linesOf(30), batch.Options{}); err != nil || w.progress().Pages != 5 {
		t.Errorf("%v, %d pages", err, w.progress().Pages)
	}
	if _, err := b.Start(t.Context(), tenant, w.id); err != nil {
		t.Error(err)
	}
}
