package report_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

func key(t *testing.T, s string) report.Key {
	t.Helper()
	k, err := report.ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Every class of outcome is explained, by an answer, by a rule, or by saying
// what was not kept.
func TestTimeline(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	attempt := func(n int, code push.Code, s int64) ledger.Attempt {
		return ledger.Attempt{Cell: 0, Attempt: n, Code: code, At: at(s), Latency: 40 * time.Millisecond, Detail: "d"}
	}
	mark := ledger.Attempt{At: at(50), Detail: "replayed by rpl_1"}
	for name, c := range map[string]struct {
		code     push.Code
		twice    bool
		state    ledger.State
		attempts []ledger.Attempt
		want     string // the steps behind the expansion
	}{
		"sent": {
			push.CodeSent, false, ledger.StateClosed, []ledger.Attempt{attempt(1, push.CodeSent, 10)}, "attempt 1 sent@10 | outcome sent@10",
		},
		"sent at last": {
			push.CodeSent, true, ledger.StateClosed,
			[]ledger.Attempt{attempt(1, push.CodeNetTimeout, 10), attempt(2, push.CodeSent, 30)},
			"attempt 1 net.timeout@10 | attempt 2 sent@30 | outcome sent@30 an earlier attempt may have reached the device too",
		},
		"sent, forgotten": {
			push.CodeSent, false, ledger.StateClosed, nil, "outcome sent FCM's answer was not kept; it came at the latest 1970-01-01T00:01:40Z",
		},
		"permanent": {
			push.CodeFCMUnregistered, false, ledger.StateClosed,
			[]ledger.Attempt{attempt(1, push.CodeFCMUnregistered, 10)},
			"attempt 1 fcm.unregistered@10 | outcome fcm.unregistered@10",
		},
		"too large": {
			push.CodePayloadTooLarge, false, ledger.StateClosed, nil,
			"outcome payload.too_large decided without asking FCM, at the latest 1970-01-01T00:01:40Z",
		},
		"too large, why": {
			push.CodePayloadTooLarge, false, ledger.StateClosed,
			[]ledger.Attempt{attempt(1, push.CodeFCMUnavailable, 10), attempt(0, push.CodePayloadTooLarge, 20)},
			"attempt 1 fcm.unavailable@10 | outcome payload.too_large@20 decided without asking FCM: d",
		},
		"unknown": {
			push.CodeUnknown, false, ledger.StateClosed,
			[]ledger.Attempt{attempt(1, push.CodeNetReset, 10)},
			"attempt 1 net.reset@10 | outcome unknown@10",
		},
		"suppressed": {
			push.CodeDeviceQuarantined, false, ledger.StateClosed, nil,
			"outcome device.quarantined decided without asking FCM, at the latest 1970-01-01T00:01:40Z",
		},
		"expired": {
			push.CodeExpired, false, ledger.StateClosed,
			[]ledger.Attempt{attempt(1, push.CodeFCMUnavailable, 10)},
			"attempt 1 fcm.unavailable@10 | outcome expired decided without asking FCM, at the latest 1970-01-01T00:01:40Z",
		},
		"cancelled": {
			push.CodeCancelled, false, ledger.StateClosed, nil, "outcome cancelled decided without asking FCM, at the latest 1970-01-01T00:01:40Z",
		},
		"dead": {
			push.CodeAttemptsExhausted, false, ledger.StateClosed,
			[]ledger.Attempt{attempt(1, push.CodeFCMInternal, 10), attempt(2, push.CodeFCMInternal, 40)},
			"attempt 1 fcm.internal@10 | attempt 2 fcm.internal@40 | outcome attempts_exhausted@40",
		},
		"replayed": {
			push.CodeSent, false, ledger.StateClosed,
			[]ledger.Attempt{attempt(1, push.CodeFCMInternal, 10), mark, attempt(1, push.CodeSent, 60)},
			"attempt 1 fcm.internal@10 | replayed@50 | attempt 1 sent@60 | outcome sent@60",
		},
		"waiting, planned": {push.CodeOpen, false, ledger.StatePlanned, nil, "waiting for a dispatcher to take its chunk"},
		"waiting, sending": {
			push.CodeOpen, false, ledger.StateClaimed, nil, "waiting its chunk is being sent; checkpointed at 1970-01-01T00:01:40Z",
		},
		"waiting, queued": {
			push.CodeOpen, false, ledger.StateWaiting,
			[]ledger.Attempt{attempt(1, push.CodeFCMQuotaExceeded, 10)},
			"attempt 1 fcm.quota_exceeded@10 | waiting its chunk is on the queue for the next attempt, since 1970-01-01T00:01:40Z",
		},
		"waiting, paused": {push.CodeOpen, false, ledger.StateParked, nil, "waiting the batch is paused; resume sends its chunk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open()
			w.load("", rows(1), 1)
			w.changeLine(0, func(l *ledger.Line) {
				l.Cells[0] = ledger.CellOf(c.code, c.twice)
				l.State, l.Epoch, l.UpdatedAt = c.state, 2, at(100)
			})
			w.ledger.PutAttempts(w.chunk(0), c.attempts)
			tr, err := w.reader().Trace(t.Context(), tenant, w.id, key(t, "token:t1-0"))
			if err != nil || len(tr.Deliveries) != 1 {
				t.Fatalf("got %+v, %v", tr, err)
			}
			steps := tr.Timeline(&tr.Deliveries[0])
			if steps[0].Kind != report.StepAccepted || steps[1].Kind != report.StepStarted || steps[2].Detail != "chunk 0, row 0, line 1" {
				t.Errorf("begins with %+v", steps[:3])
			}
			if last := steps[len(steps)-1]; c.state == ledger.StateClosed {
				if last.Kind != report.StepEvent || !last.At.Equal(at(100)) {
					t.Errorf("ends with %+v", last)
				}
				steps = steps[:len(steps)-1]
			}
			if d := cmp.Diff(c.want, describe(steps[3:])); d != "" {
				t.Error(d)
			}
		})
	}
}

func describe(steps []report.Step) string {
	var out []string
	for _, s := range steps {
		text := string(s.Kind)
		if s.Kind == report.StepAttempt {
			text += fmt.Sprintf(" %d", s.Attempt)
		}
		if s.Code != push.CodeOpen {
			text += " " + s.Code.String()
		}
		if !s.At.IsZero() {
			text += fmt.Sprintf("@%d", s.At.Unix())
		}
		if s.Kind == report.StepOutcome && s.Detail != "" || s.Kind == report.StepWaiting {
			text += " " + s.Detail
		}
		out = append(out, text)
	}
	return strings.Join(out, " | ")
}

func TestTraceKeys(t *testing.T) {
	t.Parallel()
	fid := push.Recipient{Line: 2, Address: push.Address{Kind: push.KindFID, Value: "f-1"}}
	none := push.Recipient{Line: 3, UserID: "u-none"}
	moved := push.Recipient{Line: 4, UserID: "ada", DeviceID: "d-1", Address: push.Address{Kind: push.KindToken, Value: "old"}}
	page := []push.Recipient{row(1, 0), fid, none, moved}
	again := push.Recipient{Line: 5, UserID: "grace", Address: push.Address{Kind: push.KindToken, Value: "grace-now"}}
	w := open()
	plan := w.load(push.PagePlan, append(page, again), 2)[1]
	plan.Hashes[0] = 0 // of nobody
	w.ledger.PutPlan(plan)
	w.advance(func(p *push.Progress) { p.Watermark = 5 })
	w.devices.SetDevice(
		push.Device{Tenant: tenant, ID: "d-1", UserID: "ada", Address: push.Address{Kind: push.KindToken, Value: "new"}},
		push.Device{Tenant: tenant, ID: "d-2", UserID: "grace", Address: push.Address{Kind: push.KindToken, Value: "grace-now"}},
	)
	for k, want := range map[string][]int64{
		"t1-0":       {1},
		"token:t1-0": {1},
		"fid:t1-0":   nil,
		"f-1":        {2},
		"fid:f-1":    {2},
		fmt.Sprintf("hash:%016x", fid.Address.Hash()): {2},
		"hash:0000000000000000":                       nil,
		"u-none":                                      {3},
		"user:u-none":                                 {3},
		"device:u-none":                               nil,
		"d-1":                                         {4},
		"user:ada":                                    {4},
		"d-2":                                         {5},
		"line:4":                                      {4},
		"line:6":                                      nil,
		"topic:news":                                  nil,
		"stranger":                                    nil,
	} {
		t.Run(k, func(t *testing.T) {
			t.Parallel()
			tr, err := w.reader().Trace(t.Context(), tenant, w.id, key(t, k))
			var got []int64
			for _, d := range tr.Deliveries {
				got = append(got, d.Line)
			}
			none, is := errors.AsType[*report.NoDeliveryError](err)
			if !slices.Equal(got, want) || (len(want) == 0) != is || is && !errors.Is(none, push.ErrNotFound) {
				t.Errorf("got lines %v, %v, want %v", got, err, want)
			}
		})
	}
	tr, err := w.reader().Trace(t.Context(), tenant, w.id, key(t, "line:4"))
	if err != nil || tr.Deliveries[0].DeviceID != "d-1" || tr.Deliveries[0].UserID != "ada" {
		t.Errorf("got %+v, %v", tr.Deliveries, err)
	}
}

func TestParseKeyFaults(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "line:", "line:0", "line:-1", "line:x", "hash:", "hash:xyz", "hash:123", "token:", strings.Repeat("x", push.MaxAddressBytes+1),
	} {
		if _, err := report.ParseKey(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	for s, want := range map[string]report.Key{
		"fPz_0123456:APA91b": {Value: "fPz_0123456:APA91b"},
		"user:user:5":        {Kind: report.KeyUser, Value: "user:5"},
		"line:7":             {Kind: report.KeyLine, Line: 7},
	} {
		if got, err := report.ParseKey(s); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", s, got, err)
		}
	}
}

// A recipient that occurs too often is not listed for ever, and what is not
// planned yet is said.
func TestTraceManyAndNone(t *testing.T) {
	t.Parallel()
	w := open()
	same := make([]push.Recipient, report.MaxTraced+5)
	for i := range same {
		same[i] = row(int64(i+1), 0)
		same[i].Address.Value = "again"
	}
	w.load("", same, 30)
	tr, err := w.reader().Trace(t.Context(), tenant, w.id, key(t, "again"))
	if err != nil || len(tr.Deliveries) != report.MaxTraced || !tr.More {
		t.Errorf("%d deliveries, more: %v, %v", len(tr.Deliveries), tr.More, err)
	}
	w.advance(func(p *push.Progress) {
		p.Sources += 7
		p.Pages++
	})
	_, err = w.reader().Trace(t.Context(), tenant, w.id, key(t, "stranger"))
	if none, ok := errors.AsType[*report.NoDeliveryError](err); !ok || none.Unplanned != 7 {
		t.Errorf("got %v", err)
	}
	if _, err := w.reader().Trace(t.Context(), "else", w.id, key(t, "again")); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("of another tenant: %v", err)
	}
	w = openAs(push.PrefixNotification)
	if _, err := w.reader().Trace(t.Context(), tenant, w.id, key(t, "line:1")); !errors.As(err, new(push.Faults)) {
		t.Errorf("a line of no upload: %v", err)
	}
}

// A line whose page is gone, and which the plan can't tell, is not guessed.
func TestTraceLineUnknown(t *testing.T) {
	t.Parallel()
	w := open()
	w.load("", rows(1, 3, 4), 5)
	w.advance(func(p *push.Progress) { p.Watermark = 6 })
	tr, err := w.reader().Trace(t.Context(), tenant, w.id, key(t, "line:3"))
	if err != nil || len(tr.Deliveries) != 0 || len(tr.Notes) != 1 || !strings.Contains(tr.Notes[0], "chunk 0") {
		t.Errorf("got %+v, %v", tr, err)
	}
}

// Whatever the upload looked like: a line and a token are found, all of their
// rows and no other's.
func TestTraceFindsEveryRow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := open()
		rowsOf := map[int64]int{}
		line := int64(0)
		for range rapid.IntRange(1, 4).Draw(rt, "pages") {
			var page []push.Recipient
			for range rapid.IntRange(1, 12).Draw(rt, "sources") {
				line += rapid.SampledFrom([]int64{1, 1, 1, 2, 3}).Draw(rt, "gap")
				for nth := range rapid.IntRange(1, 3).Draw(rt, "devices") {
					page = append(page, row(line, nth))
					rowsOf[line]++
				}
			}
			w.load(push.PagePlan, page, rapid.IntRange(1, 5).Draw(rt, "chunk"))
		}
		w.advance(func(p *push.Progress) { p.Watermark = line })
		for l := int64(1); l <= line+1; l++ {
			tr, err := w.reader().Trace(t.Context(), tenant, w.id, report.Key{Kind: report.KeyLine, Line: l})
			if len(tr.Deliveries) != rowsOf[l] || (rowsOf[l] == 0) != errors.Is(err, push.ErrNotFound) {
				rt.Fatalf("line %d: %d rows, want %d: %v", l, len(tr.Deliveries), rowsOf[l], err)
			}
			for nth, d := range tr.Deliveries {
				if d.Line != l || d.Hash != row(l, nth).Address.Hash() {
					rt.Fatalf("line %d: row %d is %+v", l, nth, d)
				}
			}
		}
		want := row(line, 0).Address.Value
		tr, err := w.reader().Trace(t.Context(), tenant, w.id, report.Key{Value: want})
		if err != nil || len(tr.Deliveries) != 1 || tr.Deliveries[0].Line != line {
			rt.Fatalf("token: got %+v, %v", tr.Deliveries, err)
		}
	})
}

// crowd counts who reads plans at once.
type crowd struct {
	mu        sync.Mutex
	now, most int
}

func (c *crowd) do(op string, effect func() error) error {
	if op != "Plans" {
		return effect()
	}
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	time.Sleep(time.Second)
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
	return effect()
}

// However many traces are asked for, half of the processors stay free; one whose
// caller goes away does not keep its place in the queue.
func TestTraceCrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, c := open(), &crowd{}
		w.load("", rows(1), 1)
		w.load("", rows(2), 1)
		r := w.readerOn(ledgertest.Around{Store: w.ledger, Do: c.do})
		gone, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		call := func(ctx context.Context) {
			if _, err := r.Trace(ctx, tenant, w.id, key(t, "token:t1-0")); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		for range 2 * runtime.GOMAXPROCS(0) {
			wg.Go(func() { call(t.Context()) })
			wg.Go(func() { call(gone) })
		}
		synctest.Wait()
		leave()
		wg.Wait()
		if want := max(1, runtime.GOMAXPROCS(0)/2); c.most != want {
			t.Errorf("%d scans at once, want %d", c.most, want)
		}
	})
}
