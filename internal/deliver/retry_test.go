package deliver_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// TestHandBack: what failed comes back alone, in a smaller message.
func TestHandBack(t *testing.T) {
	t.Parallel()
	in(t, 100, nil, func(r *rig) {
		for _, i := range []int{3, 50, 99} {
			r.fcm.script[name(i)] = []answer{{code: push.CodeFCMUnavailable}}
		}
		start := time.Now()
		if v := r.deliver(r.chunk); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		chunks := r.queue.chunks()
		if len(chunks) != 1 {
			t.Fatalf("%d messages", len(chunks))
		}
		want := push.Chunk{
			Ref: r.chunk.Ref, Tenant: "acme", Index: []int{3, 50, 99}, Attempt: 2, Turn: 1, Since: start.UTC(), LastCode: push.CodeFCMUnavailable,
			Recipients: []push.Recipient{r.chunk.Recipients[3], r.chunk.Recipients[50], r.chunk.Recipients[99]},
		}
		if diff := cmp.Diff(want, chunks[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if l := r.line(); l.State != ledger.StateWaiting || l.Turn != 1 || l.OpenCount() != 3 || l.Reserved != 0 {
			t.Errorf("line %s, turn %d, %d open, reserved %d", l.State, l.Turn, l.OpenCount(), l.Reserved)
		}
		if due := time.Until(r.line().Due); due < 10*time.Second || due > r.queue.msgs[0].Delay {
			t.Errorf("the line is due in %v, its message in %v", due, r.queue.msgs[0].Delay)
		}
		if m := r.queue.msgs[0]; m.Group != "acme" || m.Delay < 10*time.Second || m.Delay%time.Second != 0 {
			t.Errorf("group %q, delay %v", m.Group, m.Delay)
		}
		if got := r.metric(t, "belfry_retries_total"); got != 3 {
			t.Errorf("%v retries counted", got)
		}
	})
}

// TestWaits: FCM's own rules set the waits.
func TestWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		answer   answer
		min, max time.Duration // of the wait before the second request
	}{
		{"unavailable", answer{code: push.CodeFCMUnavailable}, 10 * time.Second, 21 * time.Second},
		{"internal", answer{code: push.CodeFCMInternal}, 10 * time.Second, 21 * time.Second},
		{"timeout", answer{code: push.CodeNetTimeout}, 10 * time.Second, 21 * time.Second},
		{"never reached", answer{code: push.CodeNetRefused}, time.Second, 3 * time.Second},
		{"quota", answer{code: push.CodeFCMQuotaExceeded}, time.Minute, 121 * time.Second},
		{"quota with Retry-After", answer{code: push.CodeFCMQuotaExceeded, after: 17 * time.Second}, 17 * time.Second, 35 * time.Second},
		{
			"unavailable with a long Retry-After",
			answer{code: push.CodeFCMUnavailable, after: 5 * time.Minute},
			5 * time.Minute,
			5*time.Minute + 2*time.Second,
		},
		{"longer than a queue can delay", answer{code: push.CodeFCMQuotaExceeded, after: 50 * time.Minute}, 50 * time.Minute, 66 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, 2, func(r *rig) { r.cfg.Guard = newGuard(t, func(c *guard.Config) { c.QuotaRow = 1000 }) }, func(r *rig) {
				r.fcm.script[name(1)] = []answer{c.answer}
				r.finish()
				gaps := r.fcm.gaps(name(1))
				if len(gaps) != 1 || gaps[0] < c.min || gaps[0] > c.max {
					t.Errorf("waited %v, want %v to %v", gaps, c.min, c.max)
				}
				if got := r.codes()[push.CodeSent]; got != 2 {
					t.Errorf("%d sent", got)
				}
			})
		})
	}
}

// TestAttemptsPerRow: rows that fail at different times keep their own count.
func TestAttemptsPerRow(t *testing.T) {
	t.Parallel()
	in(t, 3, nil, func(r *rig) {
		bad := answer{code: push.CodeFCMInternal}
		r.fcm.script[name(0)] = []answer{bad, bad, bad}
		r.fcm.script[name(1)] = []answer{bad, bad, {}}
		r.fcm.script[name(1)][2] = answer{code: push.CodeSent}
		r.chunk.Attempts, r.chunk.Attempt = []int{2, 1, 1}, 2
		if v := r.deliver(r.chunk); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		next := r.queue.chunks()[0]
		if diff := cmp.Diff([]int{3, 2}, next.Attempts); diff != "" || next.Attempt != 3 {
			t.Fatalf("attempt %d (-want +got):\n%s", next.Attempt, diff)
		}
		r.queue.msgs = nil
		r.chunk = next
		r.finish()
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 2, push.CodeAttemptsExhausted: 1}, r.codes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if r.fcm.asked[name(0)] != 2 || r.fcm.asked[name(1)] != 3 {
			t.Errorf("requests: %v", r.fcm.asked)
		}
	})
}

// TestDeferralIsNoAttempt: an open breaker may last as long as it likes. What waits for it comes back every minute or so, for an
// operator may have closed it.
func TestDeferralIsNoAttempt(t *testing.T) {
	t.Parallel()
	soon := func(d time.Duration) bool { return d >= time.Minute && d <= 75*time.Second }
	in(t, 40, func(r *rig) {
		r.cfg.Guard = newGuard(t, func(c *guard.Config) { c.OpenAfter.Many = 5 })
		r.change(func(n *push.Notification) { n.TTL = 48 * time.Hour })
	}, func(r *rig) {
		for i := range 5 { // somebody else's requests open the breaker
			to := push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprint("other", i))}
			ticket, err := r.cfg.Guard.Admit(r.tb.Context(), guard.Ask{Traffic: guard.TrafficLive, To: to})
			if err != nil {
				t.Fatal(err)
			}
			ticket.Done(push.CodeFCMUnavailable, time.Hour)
		}
		for range 3 { // a chunk that nobody holds is not even claimed
			if v := r.deliver(r.chunk); v.word != "retry" || !soon(v.after) || v.body != "" || r.line().Epoch != 0 {
				t.Fatalf("%+v, epoch %d", v, r.line().Epoch)
			}
		}
		time.Sleep(20 * time.Minute)
		for turn := range 3 { // but now and then, to show that it is not forgotten
			if v := r.deliver(r.chunk); v.word != "ack" {
				t.Fatalf("%+v", v)
			}
			next := r.queue.chunks()[0]
			if next.Attempt != 1 || next.Attempts != nil || len(next.Recipients) != 40 || next.Turn != turn+1 || !next.Since.IsZero() {
				t.Fatalf("attempt %d %v, %d recipients, turn %d, since %v", next.Attempt, next.Attempts, len(next.Recipients), next.Turn, next.Since)
			}
			if d := r.queue.msgs[0].Delay; !soon(d) || !next.NotBefore.IsZero() {
				t.Fatalf("delay %v, not before %v", d, next.NotBefore)
			}
			r.queue.msgs, r.chunk = nil, next
			time.Sleep(10 * time.Minute)
		}
		if r.fcm.total != 0 || len(r.attempts()) != 0 {
			t.Errorf("%d requests, %d attempts", r.fcm.total, len(r.attempts()))
		}
		r.chunk.NotBefore = time.Now().Add(time.Hour)
		r.finish()
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 40}, r.codes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestNotBefore: a message whose wait is longer than the queue can delay waits
// again, as it is.
func TestNotBefore(t *testing.T) {
	t.Parallel()
	in(t, 2, nil, func(r *rig) {
		r.chunk.NotBefore = time.Now().Add(40 * time.Minute)
		if v := r.deliver(r.chunk); v.word != "retry" || v.after != 15*time.Minute || v.body != "" || r.line().Epoch != 0 {
			t.Errorf("%+v, epoch %d", v, r.line().Epoch)
		}
		start := time.Now()
		r.finish()
		if took := time.Since(start); took < 40*time.Minute-2*time.Second || took > 41*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// TestGivesUpByTime: a series of retries ends after MaxElapsed.
func TestGivesUpByTime(t *testing.T) {
	t.Parallel()
	in(t, 2, func(r *rig) { r.cfg.MaxAttempts = 1000; r.cfg.MaxElapsed = 30 * time.Minute }, func(r *rig) {
		for range 1000 {
			r.fcm.script[name(0)] = append(r.fcm.script[name(0)], answer{code: push.CodeFCMUnavailable})
		}
		start := time.Now()
		r.finish()
		if took := time.Since(start); took < 30*time.Minute || took > 50*time.Minute {
			t.Errorf("took %v", took)
		}
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 1, push.CodeAttemptsExhausted: 1}, r.codes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestLetterBeforeLine: an outcome "attempts exhausted" is never durable before
// its dead letter is.
func TestLetterBeforeLine(t *testing.T) {
	t.Parallel()
	in(t, 200, func(r *rig) { r.cfg.MaxAttempts = 1 }, func(r *rig) {
		for i := range 60 {
			r.fcm.script[name(i)] = []answer{{code: push.CodeFCMUnavailable}, {code: push.CodeFCMUnavailable}}
		}
		r.saves.Before = func(l ledger.Line) error {
			for i, c := range l.Cells {
				if c.Code() == push.CodeAttemptsExhausted && len(r.dead.msgs) == 0 {
					t.Errorf("cell %d is dead-lettered without a letter", i)
				}
			}
			return nil
		}
		r.finish()
		letters := r.letters()
		if len(letters) != 1 || len(letters[0].Chunk.Recipients) != 60 || letters[0].Codes[0] != push.CodeFCMUnavailable ||
			letters[0].Detail[0] != "detail of fcm.unavailable" {
			t.Fatalf("letters: %+v", letters)
		}
		if diff := cmp.Diff(map[push.Code]int{push.CodeSent: 140, push.CodeAttemptsExhausted: 60}, r.codes()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestDeadLettersAway: the rows wait for the dead-letter queue, and FCM is not
// asked again meanwhile.
func TestDeadLettersAway(t *testing.T) {
	t.Parallel()
	in(t, 5, func(r *rig) { r.cfg.MaxAttempts = 1 }, func(r *rig) {
		bad := answer{code: push.CodeNetTimeout}
		r.fcm.script[name(2)] = []answer{bad, bad, bad}
		r.dead.fail = errAway
		for range 3 {
			if v := r.deliver(r.chunk); v.word != "ack" {
				t.Fatalf("%+v", v)
			}
			r.chunk = r.queue.chunks()[0]
			r.queue.msgs = nil
		}
		if r.fcm.asked[name(2)] != 1 || r.line().State != ledger.StateWaiting || r.codes()[push.CodeSent] != 4 {
			t.Fatalf("%d requests, line %s, %v", r.fcm.asked[name(2)], r.line().State, r.codes())
		}
		r.dead.fail = nil
		r.finish()
		letters := r.letters()
		if len(letters) != 1 || letters[0].Codes[0] != push.CodeNetTimeout || r.fcm.asked[name(2)] != 1 {
			t.Errorf("letters %+v, %d requests", letters, r.fcm.asked[name(2)])
		}
		if c := r.line().Cells[2]; c.Code() != push.CodeAttemptsExhausted || !c.PossibleDuplicate() {
			t.Errorf("cell %v", c)
		}
	})
}
