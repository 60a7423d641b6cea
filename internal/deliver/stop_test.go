package deliver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

func TestExpired(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 5} {
		in(t, n, func(r *rig) { r.change(func(n *push.Notification) { n.TTL = time.Minute }) }, func(r *rig) {
			time.Sleep(time.Minute)
			r.finish()
			if diff := cmp.Diff(map[push.Code]int{push.CodeExpired: n}, r.codes()); diff != "" || r.fcm.total != 0 {
				t.Errorf("%d requests (-want +got):\n%s", r.fcm.total, diff)
			}
		})
	}
}

// TestExpiresInTime: what can't be tried again before its end is told expired
// at its end, not when the wait for the next try is over.
func TestExpiresInTime(t *testing.T) {
	t.Parallel()
	in(t, 2, func(r *rig) { r.change(func(n *push.Notification) { n.TTL = time.Minute }) }, func(r *rig) {
		r.fcm.script[name(0)] = []answer{{code: push.CodeFCMUnavailable, after: time.Hour}}
		start := time.Now()
		r.finish()
		if took := time.Since(start); took < time.Minute || took > 62*time.Second {
			t.Errorf("took %v", took)
		}
		if diff := cmp.Diff(map[push.Code]int{push.CodeExpired: 1, push.CodeSent: 1}, r.codes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestCancelled mid-flight: what is under way keeps its result, the rest is
// cancelled, within a second.
func TestCancelled(t *testing.T) {
	t.Parallel()
	in(t, 500, nil, func(r *rig) {
		r.fcm.latency = time.Second
		go func() {
			time.Sleep(1500 * time.Millisecond)
			r.setState(push.StateCancelled)
		}()
		start := time.Now()
		if v := r.deliver(r.chunk); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("took %v", took)
		}
		sent := r.fcm.total
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: sent, push.CodeCancelled: 500 - sent}, r.codes()); diff != "" || sent < 40 ||
			sent > 80 {
			t.Errorf("%d requests (-want +got):\n%s", sent, diff)
		}
		if r.line().State != ledger.StateClosed || len(r.queue.msgs) != 0 || r.head().Progress.State != push.StateCancelled ||
			len(r.out.completed) != 0 {
			t.Errorf("line is %s, notification %s", r.line().State, r.head().Progress.State)
		}
	})
}

// TestPaused: the rest of the line is parked without a message.
func TestPaused(t *testing.T) {
	t.Parallel()
	for _, when := range []time.Duration{0, 1500 * time.Millisecond} {
		in(t, 200, nil, func(r *rig) {
			r.fcm.latency = time.Second
			r.chunk.Turn, r.chunk.Attempt = 2, 2
			l := r.line()
			l.Turn = 2
			r.ledger.PutLine(l)
			go func() {
				time.Sleep(when)
				r.setState(push.StatePaused)
			}()
			time.Sleep(time.Millisecond)
			if v := r.deliver(r.chunk); v.word != "ack" {
				t.Fatalf("%+v", v)
			}
			l = r.line()
			if l.State != ledger.StateParked || l.Turn != 2 || l.Attempt != 2 || l.OpenCount() != 200-r.fcm.total || len(r.queue.msgs) != 0 {
				t.Errorf("%v: line %s, turn %d, attempt %d, %d open after %d requests, %d messages", when, l.State, l.Turn, l.Attempt, l.OpenCount(),
					r.fcm.total, len(r.queue.msgs))
			}
			if (when == 0) != (r.fcm.total == 0) {
				t.Errorf("%v: %d requests", when, r.fcm.total)
			}
		})
	}
}

// TestResumedWhileParking: a resume that looked at the line just before it was
// parked has sent nothing, so whoever parks must.
func TestResumedWhileParking(t *testing.T) {
	t.Parallel()
	in(t, 30, nil, func(r *rig) {
		r.setState(push.StatePaused)
		r.saves.Before = func(l ledger.Line) error {
			if l.State == ledger.StateParked {
				r.change(func(n *push.Notification) { n.Progress.State = push.StateSending })
			}
			return nil
		}
		r.finish()
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 30}, r.codes()); diff != "" {
			t.Errorf("stuck (-want +got):\n%s", diff)
		}
	})
}

// TestDrain: a chunk that is asked to stop hands the rest back within the time
// of the requests under way, and no attempt is lost.
func TestDrain(t *testing.T) {
	t.Parallel()
	in(t, 300, nil, func(r *rig) {
		r.fcm.latency = 2 * time.Second
		draining := make(chan struct{})
		go func() {
			time.Sleep(3 * time.Second)
			close(draining)
		}()
		start := time.Now()
		if v := r.deliverUntil(r.tb.Context(), r.chunk, draining); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		if took := time.Since(start); took > 4*time.Second+100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		next := r.queue.chunks()[0]
		if len(next.Recipients) != 260 || next.Attempt != 1 || r.queue.msgs[0].Delay != 0 || next.LastCode != push.CodeOpen {
			t.Errorf("%d recipients, attempt %d, delay %v", len(next.Recipients), next.Attempt, r.queue.msgs[0].Delay)
		}
		if v := r.deliverUntil(r.tb.Context(), next, draining); v.word != "hand_back" {
			t.Errorf("a message that comes while draining: %+v", v)
		}
	})
}

// TestCut: the end of ctx ends the requests; what is known is kept.
func TestCut(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 300} {
		in(t, n, nil, func(r *rig) {
			r.fcm.latency = 2 * time.Second
			ctx, cut := context.WithTimeout(r.tb.Context(), 3*time.Second)
			if n == 1 {
				ctx, cut = context.WithTimeout(r.tb.Context(), time.Second)
			}
			defer cut()
			start := time.Now()
			if v := r.deliverUntil(ctx, r.chunk, nil); v.word != "ack" || time.Since(start) > 3100*time.Millisecond {
				t.Errorf("%+v after %v", v, time.Since(start))
			}
			if left := len(r.queue.chunks()[0].Recipients); left != max(1, n-20) {
				t.Errorf("%d recipients handed back", left)
			}
		})
	}
}

// TestPersonalPayloadInvalid says nothing about the others.
func TestPersonalPayloadInvalid(t *testing.T) {
	t.Parallel()
	in(t, 60, nil, func(r *rig) {
		r.chunk.Recipients[0].Data = map[string]string{"k": "v"}
		r.chunk.Recipients[1].Data = map[string]string{"k": strings.Repeat("x", 4096)}
		r.refuse(0, push.CodePayloadInvalid)
		r.finish()
		want := map[push.Code]int{push.CodePayloadInvalid: 1, push.CodePayloadTooLarge: 1, push.CodeSent: 58}
		if diff := cmp.Diff(want, r.codes()); diff != "" || r.fcm.asked[name(1)] != 0 {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestUnencodable: nothing is sent of a message that can't be encoded.
func TestUnencodable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want push.Code
	}{
		{&push.Error{Code: push.CodePayloadTooLarge}, push.CodePayloadTooLarge},
		{&push.Error{Code: push.CodePayloadInvalid}, push.CodePayloadInvalid},
		{errors.New("odd"), push.CodePayloadInvalid},
	} {
		in(t, 4, func(r *rig) { r.cfg.Encoder = encoder{c.err} }, func(r *rig) {
			r.finish()
			if diff := cmp.Diff(map[push.Code]int{c.want: 4}, r.codes()); diff != "" || r.fcm.total != 0 {
				t.Errorf("%d requests (-want +got):\n%s", r.fcm.total, diff)
			}
		})
	}
}

// TestAtMostOnce: what an owner that vanished may have sent is not sent again.
func TestAtMostOnce(t *testing.T) {
	t.Parallel()
	in(t, 100, func(r *rig) { r.change(func(n *push.Notification) { n.Guarantee = push.AtMostOnce }) }, func(r *rig) {
		l, err := r.line().Claim("vanished", 0, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l.Reserved = 70
		l.Settle(3, push.CodeSent, false)
		r.ledger.PutLine(l)
		time.Sleep(time.Minute)
		r.finish()
		if diff := cmp.Diff(map[push.Code]int{push.CodeUnknown: 69, push.CodeSent: 31}, r.codes()); diff != "" || r.fcm.total != 30 {
			t.Errorf("%d requests (-want +got):\n%s", r.fcm.total, diff)
		}
	})
}
