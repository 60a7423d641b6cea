package deliver_test

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// TestEveryCode lets FCM answer every recipient with one code for ever, alone
// and as one of several, under both guarantees.
func TestEveryCode(t *testing.T) {
	t.Parallel()
	for _, f := range push.Codes() {
		if f.Class == push.ClassSuppressed || f.Class == push.ClassExpired || f.Class == push.ClassCancelled ||
			f.Class == push.ClassDeadLettered || f.Code == push.CodeUnknown {
			continue // never an answer
		}
		for _, guarantee := range []push.Guarantee{push.AtLeastOnce, push.AtMostOnce} {
			for _, n := range []int{1, 3} {
				t.Run(f.Name+" "+string(guarantee), func(t *testing.T) {
					t.Parallel()
					in(t, n, func(r *rig) { r.change(func(n *push.Notification) { n.Guarantee = guarantee }) }, func(r *rig) {
						r.all(answer{code: f.Code}, answer{code: f.Code}, answer{code: f.Code}, answer{code: f.Code})
						r.finish()
						want, requests := f.Code, 1
						switch {
						case f.Terminal:
						case f.Unreached:
							want, requests = push.CodeSent, 5
						case f.MaybeDelivered && guarantee == push.AtMostOnce:
							want = push.CodeUnknown
						default:
							want, requests = push.CodeAttemptsExhausted, r.cfg.MaxAttempts
						}
						if diff := cmp.Diff(map[push.Code]int{want: n}, r.codes()); diff != "" {
							t.Errorf("outcomes (-want +got):\n%s", diff)
						}
						if got := r.fcm.asked[name(0)]; got != requests {
							t.Errorf("%d requests, want %d", got, requests)
						}
						if flagged := r.line().Cells[0].PossibleDuplicate(); flagged != (f.MaybeDelivered && requests > 1) {
							t.Errorf("possible duplicate is %t", flagged)
						}
						if r.line().State != ledger.StateClosed || r.head().Progress.State != push.StateCompleted || len(r.out.completed) != 1 {
							t.Errorf("line is %s, notification %s, completion told %d times", r.line().State, r.head().Progress.State, len(r.out.completed))
						}
						if counted := r.metric(t, "outcomes"); counted != float64(n) {
							t.Errorf("%v outcomes counted", counted)
						}
						letters := len(r.letters())
						if (letters == 1) != (want == push.CodeAttemptsExhausted) {
							t.Errorf("%d dead letters", letters)
						}
					})
				})
			}
		}
	}
}

// TestEvidence: every request leaves an attempt.
func TestEvidence(t *testing.T) {
	t.Parallel()
	in(t, 2, nil, func(r *rig) {
		r.fcm.latency = 30 * time.Millisecond
		r.fcm.script[name(1)] = []answer{{code: push.CodeFCMUnavailable}, {code: push.CodeFCMUnregistered}}
		r.finish()
		type row struct {
			cell, attempt int
			code          push.Code
			latency       time.Duration
			detail        string
		}
		var got []row
		for _, a := range r.attempts() {
			got = append(got, row{a.Cell, a.Attempt, a.Code, a.Latency, a.Detail})
		}
		want := []row{
			{0, 1, push.CodeSent, r.fcm.latency, "m-t000"},
			{1, 1, push.CodeFCMUnavailable, r.fcm.latency, "detail of fcm.unavailable"},
			{1, 2, push.CodeFCMUnregistered, r.fcm.latency, "detail of fcm.unregistered"},
		}
		if got[0].cell == 1 { // the first two came together
			got[0], got[1] = got[1], got[0]
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// Which turn each was made in, and when the chunk was planned and taken, is told beside it.
		h := ledger.Split(r.evidence())
		first, _ := h.Took(1, 0)
		second, ok := h.Took(1, 1)
		if h.PlannedAt.IsZero() || len(h.Turns) != 2 || first != h.Turns[0] || second != h.Turns[1] || !ok ||
			first.At.Before(h.PlannedAt) || !second.At.After(first.At) || second.N != first.N+1 {
			t.Errorf("planned at %v, turns %+v", h.PlannedAt, h.Turns)
		}
	})
}

// TestNotes: the registry learns of failures that are the device's own, and of
// successes that it asked for.
func TestNotes(t *testing.T) {
	t.Parallel()
	in(t, 8, nil, func(r *rig) {
		for i, code := range []push.Code{
			push.CodeSent, push.CodeSent, push.CodeFCMUnregistered, push.CodeFCMInvalidArgument, push.CodeFCMSenderIDMismatch,
			push.CodePayloadTooLarge, push.CodeFCMQuotaExceeded,
		} {
			r.fcm.script[name(i)] = []answer{{code: code}}
		}
		r.chunk.Recipients[0].Unknown, r.chunk.Recipients[4].Unknown = true, true
		r.chunk.Recipients[1].Renew = true
		r.chunk.Recipients[7].Renew, r.chunk.Recipients[7].Address = true, push.Address{Kind: push.KindTopic, Value: "news"}
		r.finish()
		got := map[string]push.DeviceNote{}
		for _, n := range r.out.notes {
			got[n.Address.Value.Reveal()] = push.DeviceNote{Code: n.Code, Quarantine: n.Quarantine, Record: n.Record}
			if n.At.IsZero() || n.SentAt.IsZero() {
				t.Errorf("note without times: %+v", n)
			}
		}
		want := map[string]push.DeviceNote{
			name(0): {Code: push.CodeSent, Record: true}, name(1): {Code: push.CodeSent},
			name(2): {Code: push.CodeFCMUnregistered, Quarantine: true},
			name(3): {Code: push.CodeFCMInvalidArgument, Quarantine: true}, // the others got the message
			name(4): {Code: push.CodeFCMSenderIDMismatch, Record: true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestUnusable: messages that can't be worked on, ever, are dead-lettered.
func TestUnusable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(r *rig)
		code  push.Code
	}{
		{"no line", func(r *rig) { r.ledger.ForgetLine(r.chunk.Ref) }, push.CodeUnexpandable},
		{"a line of another plan", func(r *rig) { r.chunk.Index[2] = 7 }, push.CodeUndecodable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, 3, nil, func(r *rig) {
				c.spoil(r)
				if v := r.deliver(r.chunk); v.word != "dead" || v.code != c.code || r.fcm.total != 0 {
					t.Errorf("%+v, %d requests", v, r.fcm.total)
				}
			})
		})
	}
	in(t, 1, nil, func(r *rig) {
		r.chunk.Recipients, r.chunk.Index = nil, nil
		if v := r.deliver(r.chunk); v.word != "dead" || v.code != push.CodeUndecodable {
			t.Errorf("an empty chunk: %+v", v)
		}
	})
}

// wordy is FCM that says a lot, to each recipient something else, and never takes
// a message.
type wordy struct{ deliver.Sender }

func (wordy) Send(_ context.Context, body []byte) (string, error) {
	sum := sha256.Sum256(body)
	r := rand.New(rand.NewChaCha8(sum))
	words := make([]byte, 4<<10)
	for i := range words {
		words[i] = byte(' ' + r.IntN('~'-' '))
	}
	return "", &push.Error{Code: push.CodeUnclassified, Detail: string(words)}
}

// TestLongEvidence: recipients of whom more is known than a queue message holds
// are given up in several letters, each recipient in one.
func TestLongEvidence(t *testing.T) {
	t.Parallel()
	in(t, 500, func(r *rig) { r.cfg.MaxAttempts, r.cfg.Sender = 1, wordy{} }, func(r *rig) {
		r.finish()
		seen := map[int]int{}
		letters := r.letters()
		for i := range letters {
			for at, cell := range letters[i].Chunk.Index {
				seen[cell]++
				if len(letters[i].Detail[at]) != 4<<10 {
					t.Errorf("of what FCM said to %d, %d bytes are kept", cell, len(letters[i].Detail[at]))
				}
			}
		}
		for _, m := range r.dead.msgs {
			if len(m.Body) > worker.MaxBodyBytes {
				t.Errorf("a letter has %d bytes", len(m.Body))
			}
		}
		if len(letters) < 2 || len(seen) != 500 || r.codes()[push.CodeAttemptsExhausted] != 500 {
			t.Errorf("%d letters with %d recipients; %v", len(letters), len(seen), r.codes())
		}
		for cell, n := range seen {
			if n != 1 {
				t.Errorf("recipient %d is in %d letters", cell, n)
			}
		}
	})
}
