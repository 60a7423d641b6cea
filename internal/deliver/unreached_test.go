package deliver_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// unreached lists the codes of requests that never got into FCM.
func unreached() (codes []push.Code) {
	for _, f := range push.Codes() {
		if f.Unreached {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

// TestUnreachedCostsTimeOnly: what never got into FCM is neither an attempt nor a
// part of FCM's sixty minutes, and leaves one mark and no letter.
func TestUnreachedCostsTimeOnly(t *testing.T) {
	t.Parallel()
	for _, code := range unreached() {
		for until, back := range map[string]time.Duration{"until FCM is back": 20 * time.Minute, "until it expires": time.Hour} {
			t.Run(code.String()+" "+until, func(t *testing.T) {
				t.Parallel()
				in(t, 3, func(r *rig) {
					r.cfg.MaxAttempts, r.cfg.MaxElapsed = 2, time.Minute
					r.change(func(n *push.Notification) { n.TTL = 40 * time.Minute })
				}, func(r *rig) {
					start := time.Now()
					r.fcm.outage = func(string) push.Code {
						if time.Since(start) < back {
							return code
						}
						return push.CodeOpen
					}
					r.turns = 1 << 20
					r.finish()
					want, took, marks := push.CodeSent, back, 6 // one mark each, and the answer
					if back > r.head().TTL {
						want, took, marks = push.CodeExpired, r.head().TTL, 3
					}
					if diff := cmp.Diff(map[push.Code]int{want: 3}, r.codes()); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
					if late := time.Since(start) - took; late < 0 || late > 3*time.Minute {
						t.Errorf("ended %v after it could", late)
					}
					if len(r.attempts()) != marks || len(r.letters()) != 0 {
						t.Errorf("%d marks, want %d; %d letters", len(r.attempts()), marks, len(r.letters()))
					}
					for _, a := range r.attempts() {
						if a.Attempt != 1 {
							t.Errorf("attempt %d: %s", a.Attempt, a.Code)
						}
					}
				})
			})
		}
	}
}

// TestUnreachedBesideFailures: rows keep their own count, and the series of those
// that did fail begins anew.
func TestUnreachedBesideFailures(t *testing.T) {
	t.Parallel()
	in(t, 3, nil, func(r *rig) {
		r.fcm.script[name(0)] = []answer{{code: push.CodeNetRefused}}
		r.fcm.script[name(1)] = []answer{{code: push.CodeFCMInternal}}
		r.chunk.Since = time.Now().Add(-50 * time.Minute)
		if v := r.deliver(r.chunk); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		next := r.queue.chunks()[0]
		if diff := cmp.Diff([]int{1, 2}, next.Attempts); diff != "" || !next.Since.IsZero() {
			t.Errorf("since %v, attempts (-want +got):\n%s", next.Since, diff)
		}
		if got := r.metric(t, "belfry_retries_total"); got != 1 {
			t.Errorf("%v retries counted", got)
		}
	})
}

// TestBurialsAreLogged: one line for those of a chunk who are given up together,
// with everything but their addresses.
func TestBurialsAreLogged(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	in(t, 60, func(r *rig) { r.cfg.MaxAttempts, r.cfg.Log = 2, zap.New(core) }, func(r *rig) {
		for i := range 50 {
			code := push.CodeFCMInternal
			if i%5 == 0 {
				code = push.CodeFCMUnavailable
			}
			r.fcm.script[name(i)] = slices.Repeat([]answer{{code: code}}, 2)
		}
		r.finish()
		told := logs.FilterMessage("recipients dead-lettered")
		want := map[string]any{
			"code": "attempts_exhausted", "notification": ntfID, "chunk": ntfID + "#0", "tenant": "acme",
			"recipients": int64(50), "attempts": int64(2),
			"last_code": "fcm.internal", "with_last_code": int64(40), "trace_id": "0af7651916cd43dd8448eb211c80319c",
		}
		if told.Len() != 1 {
			t.Fatalf("%d lines", told.Len())
		}
		if diff := cmp.Diff(want, told.All()[0].ContextMap()); diff != "" || told.All()[0].Level != zapcore.WarnLevel {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if r.line().State != ledger.StateClosed {
			t.Errorf("line is %s", r.line().State)
		}
	})
}
