package worker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// by returns a handler that decides by the message's id.
func by(verdicts map[string]worker.Verdict) worker.HandlerFunc {
	return func(_ context.Context, m worker.Message, _ <-chan struct{}) worker.Verdict {
		if m.ID == "panic" {
			panic("handler of " + m.ID)
		}
		return verdicts[m.ID]
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		verdict worker.Verdict
		want    []string // what is done to the queue
	}{
		{"ack", worker.Ack(), []string{"delete:m;"}},
		{"retry", worker.RetryAfter(1500*time.Millisecond, nil), []string{"send:body of m+2s;", "delete:m;"}},
		{"retry with another body", worker.RetryAfter(0, []byte("next")), []string{"send:next+0s;", "delete:m;"}},
		{"retry too late", worker.RetryAfter(time.Hour, nil), []string{"send:body of m+15m0s;", "delete:m;"}},
		{"retry in the past", worker.RetryAfter(-time.Hour, nil), []string{"send:body of m+0s;", "delete:m;"}},
		{"hand back", worker.HandBack(), []string{"extend:0s:m;"}},
		{"leave", worker.Leave(), nil},
		{"no verdict", worker.Verdict{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run(t, worker.Config{}, by(map[string]worker.Verdict{"m": c.verdict}), func(r *rig) {
				r.put("m")
				pause(time.Second)
				if diff := cmp.Diff(c.want, r.q.done()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				pause(10 * visibility)
				if diff := cmp.Diff(c.want, r.q.done()); diff != "" {
					t.Errorf("long after (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestDead(t *testing.T) {
	t.Parallel()
	run(t, worker.Config{Software: "v9"}, by(map[string]worker.Verdict{"m": worker.Dead(push.CodeUndecodable, "no sense")}), func(r *rig) {
		sent := time.Now()
		r.put("m")
		var order []string
		r.dead.setFail(func(op string) error {
			order = append(order, strings.Join(r.q.doneNow(), ""))
			return nil
		})
		pause(time.Second)
		if diff := cmp.Diff([]string{"delete:m;"}, r.q.done()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(r.dead.done()) != 1 || len(order) != 1 || order[0] != "" {
			t.Errorf("the letter came after the delete: %q", order)
		}
		letter, err := wire.DecodeDeadLetter(r.dead.last)
		want := push.DeadLetter{
			Queue: "jobs", ID: "m", Code: push.CodeUndecodable, Detail: "no sense", Body: []byte("body of m"), Group: "acme",
			Receives: 1, SentAt: sent, At: letter.At, Software: "v9",
		}
		if diff := cmp.Diff(want, letter); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// TestPartialFailures: whatever could not be sent on keeps its original.
func TestPartialFailures(t *testing.T) {
	t.Parallel()
	again := worker.RetryAfter(0, nil)
	gone := worker.Dead(push.CodePoison, "")
	verdicts := map[string]worker.Verdict{"a": again, "b": again, "c": again, "d": worker.Ack(), "e": gone}
	for _, c := range []struct {
		name    string
		fail    map[string]error // by operation
		retries int              // originals of retries that may be deleted
		dead    int              // those of dead letters
	}{
		{"nothing fails", nil, 3, 1},
		{"one of three is refused", map[string]error{"send": &worker.BatchError{Failed: map[int]error{1: errAway}}}, 2, 1},
		{"all are refused", map[string]error{"send": &worker.BatchError{Failed: map[int]error{0: errAway, 1: errAway, 2: errAway}}}, 0, 1},
		{"the call fails", map[string]error{"send": errAway}, 0, 1},
		{"the call fails, wrapped", map[string]error{"send": fmt.Errorf("x: %w", &worker.BatchError{Failed: map[int]error{0: errAway}})}, 2, 1},
		{"the dead-letter queue is away", map[string]error{"dead": errAway}, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run(t, worker.Config{Concurrency: 5}, by(verdicts), func(r *rig) {
				r.q.setFail(func(op string) error {
					if strings.HasPrefix(op, "send:") {
						return c.fail["send"]
					}
					return nil
				})
				r.dead.setFail(func(string) error { return c.fail["dead"] })
				r.put("a", "b", "c", "d", "e")
				pause(time.Second)
				deleted := ""
				for _, op := range r.q.done() {
					if rest, ok := strings.CutPrefix(op, "delete:"); ok {
						deleted = rest + deleted
					}
				}
				retries := strings.Count(deleted, "a") + strings.Count(deleted, "b") + strings.Count(deleted, "c")
				if dead := strings.Count(deleted, "e"); retries != c.retries || dead != c.dead || strings.Count(deleted, "d") != 1 {
					t.Errorf("deleted %s, want %d of a, b and c, d, and %d of e", deleted, c.retries, c.dead)
				}
			})
		})
	}
}

// TestVerdictsShareCalls: on a busy queue ten verdicts take one call.
func TestVerdictsShareCalls(t *testing.T) {
	t.Parallel()
	all := worker.HandlerFunc(func(context.Context, worker.Message, <-chan struct{}) worker.Verdict { return worker.Ack() })
	run(t, worker.Config{Concurrency: 40}, all, func(r *rig) {
		for i := range 40 {
			r.put(fmt.Sprintf("m%02d", i))
		}
		pause(time.Second)
		if got := r.q.done(); len(got) != 4 {
			t.Errorf("%d calls for 40 verdicts: %v", len(got), got)
		}
	})
}

// TestLargeBodiesAreSplit: a call carries at most MaxBodyBytes.
func TestLargeBodiesAreSplit(t *testing.T) {
	t.Parallel()
	big := worker.HandlerFunc(func(context.Context, worker.Message, <-chan struct{}) worker.Verdict {
		return worker.RetryAfter(0, make([]byte, worker.MaxBodyBytes*2/5))
	})
	run(t, worker.Config{Concurrency: 5}, big, func(r *rig) {
		r.put("a", "b", "c", "d", "e")
		pause(time.Second)
		var calls []int
		for _, op := range r.q.done() {
			if strings.HasPrefix(op, "send:") {
				calls = append(calls, strings.Count(op, ";"))
			}
		}
		if diff := cmp.Diff([]int{2, 2, 1}, calls); diff != "" {
			t.Errorf("messages per call (-want +got):\n%s", diff)
		}
	})
}

func TestPanicLeavesTheMessage(t *testing.T) {
	t.Parallel()
	run(t, worker.Config{}, by(map[string]worker.Verdict{"after": worker.Ack()}), func(r *rig) {
		r.put("panic", "after")
		pause(10 * visibility)
		if diff := cmp.Diff([]string{"delete:after;"}, r.q.done()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestVerdictWords(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]worker.Verdict{
		"ack": worker.Ack(), "retry": worker.RetryAfter(0, nil), "dead": worker.Dead(push.CodePoison, ""),
		"hand_back": worker.HandBack(), "leave": {},
	} {
		if v.String() != want {
			t.Errorf("%q, want %q", v, want)
		}
	}
}

func TestVerdictTellsWhatItIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		verdict worker.Verdict
		wait    time.Duration
		body    string
		code    push.Code
		detail  string
	}{
		"leave": {}, "ack": {verdict: worker.Ack()}, "hand_back": {verdict: worker.HandBack()},
		"retry": {verdict: worker.RetryAfter(time.Minute, []byte("b")), wait: time.Minute, body: "b"},
		"dead":  {verdict: worker.Dead(push.CodePoison, "why"), code: push.CodePoison, detail: "why"},
	} {
		v := c.verdict
		if v.String() != name || v.Wait() != c.wait || string(v.Body()) != c.body || v.Code() != c.code || v.Detail() != c.detail {
			t.Errorf("%s: %s, wait %v, body %q, code %s, detail %q", name, v, v.Wait(), v.Body(), v.Code(), v.Detail())
		}
	}
	if got := worker.RetryAfter(24*time.Hour, nil).Wait(); got != worker.MaxDelay {
		t.Errorf("a wait of a day is %v, want the most a queue delays", got)
	}
}
