package deliver

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/deliver/isolation"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

func TestLoading(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		given func(w *stageWorld)
		want  string
	}{
		{"as planned", func(*stageWorld) {}, ""},
		{"no line", func(w *stageWorld) { w.ledger.ForgetLine(stageRef) }, "dead"},
		{"a line of another plan", func(w *stageWorld) { w.job.chunk.Index[2] = 3 }, "dead"},
		{"it waits", func(w *stageWorld) { w.job.chunk.Wait = time.Hour }, "retry"},
		{"not before", func(w *stageWorld) { w.job.chunk.NotBefore = time.Now().Add(time.Minute) }, "retry"},
		{"not before, by a clock that was wrong", func(w *stageWorld) { w.job.chunk.NotBefore = time.Now().Add(1000 * time.Hour) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inStages(t, func(w *stageWorld) {
				w.job = w.newJob()
				c.given(w)
				w.run(&loading{timing: w.timing, heads: w.heads}, c.want)
				if loaded := w.job.n != nil; loaded != (c.want == "") {
					w.Errorf("loaded: %t", loaded)
				}
			})
		})
	}
}

func TestInspecting(t *testing.T) {
	t.Parallel()
	held := func(l *ledger.Line) {
		l.State, l.Owner, l.Epoch, l.UpdatedAt = ledger.StateClaimed, "p2#1", 5, time.Now()
	}
	for _, c := range []struct {
		name     string
		line     func(l *ledger.Line)
		receives int
		want     string
		vanished int
		isolated bool
	}{
		{"nobody's", func(*ledger.Line) {}, 1, "", 0, false},
		{"somebody wrote it a moment ago", held, 1, "retry", 0, false},
		{"its owner is silent, and the message came again", held, 2, "", 1, false},
		{
			"the last of too many", func(l *ledger.Line) { held(l); l.Vanished = ledger.SuspectAfter - 1; l.Reserve(1, 3) }, 2, "",
			ledger.SuspectAfter, true,
		},
		{"this process's, of before", func(l *ledger.Line) { held(l); l.Owner = "p1#9" }, 2, "", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inStages(t, func(w *stageWorld) {
				w.change(c.line)
				w.job = w.newJob()
				w.job.receives = c.receives
				w.run(&loading{timing: w.timing, heads: w.heads}, "")
				w.run(&inspecting{timing: w.timing, isolation: isolation.New(), log: zap.NewNop()}, c.want)
				if got := w.job.lease.Line.Vanished; got != c.vanished || (w.job.places.isolation != nil) != c.isolated {
					w.Errorf("%d deaths, isolated %t", got, w.job.places.isolation != nil)
				}
				if c.isolated && !slices.Equal(w.job.suspects.rows, []int{1, 2}) {
					w.Errorf("suspects %v", w.job.suspects.rows)
				}
			})
		})
	}
}

func TestHolding(t *testing.T) {
	t.Parallel()
	inStages(t, func(w *stageWorld) {
		s := &holding{timing: w.timing, heads: w.heads, lane: push.LaneBulk, retries: 1}
		w.run(s, "")
		w.job.chunk.Attempt = 2
		w.run(s, "")
		if w.job.places.retries == nil {
			w.Error("a chunk of retries is not counted")
		}
		first := w.job
		w.job = w.newJob()
		w.run(&loading{timing: w.timing, heads: w.heads}, "")
		w.job.chunk.Attempt = 2
		w.run(s, "retry") // there is room for one
		first.end()
		w.run(s, "")
		ticket, err := w.guard.Admit(w.Context(), guard.Ask{Traffic: guard.TrafficHigh, To: push.Address{Kind: push.KindToken, Value: "other"}})
		if err != nil {
			w.Fatal(err)
		}
		ticket.Done(push.CodeFCMUnavailable, time.Hour) // the breaker opens
		w.job.end()
		w.job.chunk.Attempt = 1
		w.run(s, "retry")
		w.job.receives = 2 // the only trace of a death
		w.run(s, "")
	})
}

var errAway = errors.New("the queue is away")

func TestJoining(t *testing.T) {
	t.Parallel()
	inStages(t, func(w *stageWorld) {
		iso := isolation.New()
		if !iso.Quiet(w.Context(), nil, time.Second) {
			w.Fatal("others are in hand")
		}
		s := &joining{isolation: iso}
		draining := make(chan struct{})
		w.job.draining = draining
		time.AfterFunc(time.Second, func() { close(draining) })
		w.run(s, "hand_back")
		w.job.draining, w.job.places.alone = nil, true
		w.run(s, "")
		w.job.places.alone = false
		time.AfterFunc(time.Second, iso.Open)
		begun := time.Now()
		w.run(s, "")
		if took := time.Since(begun); took != time.Second {
			w.Errorf("it took %v", took)
		}
		for left := 1; left >= 0; left-- { // both are counted
			iso.End()
			if quiet := iso.Quiet(w.Context(), nil, time.Second); quiet != (left == 0) {
				w.Errorf("%d in hand: quiet %t", left, quiet)
			}
		}
	})
}

func TestClaiming(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		line      func(l *ledger.Line)
		meanwhile func(l *ledger.Line)
		want      string
		completed int
	}{
		{"free", nil, nil, "", 0},
		{"closed, but its notification is not", func(l *ledger.Line) { l.State = ledger.StateClosed }, nil, "ack", 1},
		{"of a later turn", func(l *ledger.Line) { l.Turn = 1 }, nil, "ack", 0},
		{"held", func(l *ledger.Line) { l.State, l.Owner = ledger.StateClaimed, "p2#1" }, nil, "retry", 0},
		{"somebody is faster", nil, func(l *ledger.Line) { l.Epoch++ }, "retry", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inStages(t, func(w *stageWorld) {
				if c.line != nil {
					w.change(c.line)
				}
				w.job = w.newJob()
				w.run(&loading{timing: w.timing, heads: w.heads}, "")
				if c.meanwhile != nil {
					w.change(c.meanwhile)
				}
				w.run(w.claiming(), c.want)
				if l := w.ledger.AllLines()[stageRef]; (l.Owner == "p1#1" && l.Reserves(2)) != (c.want == "") || w.told.completed != c.completed {
					w.Errorf("the line is %+v, %d times completed", l, w.told.completed)
				}
			})
		})
	}
}

func TestSifting(t *testing.T) {
	t.Parallel()
	const open, unknown, expired = push.CodeOpen, push.CodeUnknown, push.CodeExpired
	for _, c := range []struct {
		name  string
		given func(w *stageWorld)
		want  []push.Code
		dead  int
	}{
		{"nothing is to be said", func(*stageWorld) {}, []push.Code{open, open, open}, 0},
		{"at most once, and one may have got it", func(w *stageWorld) {
			w.job.n.Guarantee = push.AtMostOnce
			w.job.lease.Line.MarkAmbiguous(1)
		}, []push.Code{open, unknown, open}, 0},
		{"expired", func(w *stageWorld) { w.job.chunk.ExpiresAt = time.Now() }, []push.Code{expired, expired, expired}, 0},
		{"cancelled", func(w *stageWorld) { w.job.n.Progress.State = push.StateCancelled }, slices.Repeat([]push.Code{push.CodeCancelled}, 3), 0},
		{"paused", func(w *stageWorld) { w.job.n.Progress.State = push.StatePaused }, []push.Code{open, open, open}, 0},
		{
			"one had all attempts", func(w *stageWorld) { w.job.chunk.Attempt, w.job.chunk.Attempts = 4, []int{4, 3, 1} },
			[]push.Code{open, open, open},
			1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inStages(t, func(w *stageWorld) {
				c.given(w)
				w.run(&sifting{erasures: nobodyErased{}, timing: w.timing, maxAttempts: 3, metrics: w.metrics}, "")
				w.codes(c.want...)
				if len(w.job.dead) != c.dead {
					w.Errorf("given up: %+v", w.job.dead)
				}
			})
		})
	}
}

func TestRendering(t *testing.T) {
	t.Parallel()
	inStages(t, func(w *stageWorld) {
		w.rendered()
		first := w.job.shared
		body, err := w.job.body(nil, &w.job.chunk.Recipients[1], time.Now())
		if err != nil || !strings.Contains(string(body), `"token":"b"`) || !strings.Contains(string(body), `"title":"Hi"`) {
			w.Errorf("%s: %v", body, err)
		}
		w.job = w.newJob()
		w.run(&loading{timing: w.timing, heads: w.heads}, "")
		if w.rendered(); w.job.shared != first {
			w.Error("the message was encoded again")
		}
	})
	inStages(t, func(w *stageWorld) {
		w.encoding = func() error { return &push.Error{Code: push.CodePayloadInvalid, Detail: "odd"} }
		w.rendered()
		w.codes(slices.Repeat([]push.Code{push.CodePayloadInvalid}, 3)...)
		if a := w.evidence(); len(a) != 3 || a[2].Detail != "odd" || a[2].Attempt != 0 {
			w.Errorf("evidence %+v", a)
		}
	})
}

func TestIsolating(t *testing.T) {
	t.Parallel()
	inStages(t, func(w *stageWorld) {
		w.claimed()
		w.rendered()
		iso := isolation.New()
		iso.Enter(w.Context(), nil)
		w.job.places.isolation, w.job.suspects.rows = iso, []int{0, 2}
		w.job.lease.Line.Vanished = ledger.SuspectAfter
		w.run(&isolating{requests: w.requests(), log: zap.NewNop()}, "")
		w.codes(push.CodeSent, push.CodeOpen, push.CodeSent)
		if l := w.ledger.AllLines()[stageRef]; !slices.Equal(w.asked, []string{"a", "c"}) || l.Vanished != 0 ||
			w.job.places.isolation != nil || w.job.state != turnOpen {
			w.Errorf("asked %v, %d deaths, state %d", w.asked, l.Vanished, w.job.state)
		}
	})
	inStages(t, func(w *stageWorld) {
		w.claimed()
		w.job.places.isolation, w.job.suspects = isolation.New(), suspects{rows: []int{1}, poison: true}
		w.run(&isolating{requests: w.requests(), log: zap.NewNop()}, "")
		if len(w.asked) != 0 || w.job.state != turnOver || len(w.job.dead) != 1 || w.job.dead[0].code != push.CodePoison {
			w.Errorf("asked %v, state %d, given up %+v", w.asked, w.job.state, w.job.dead)
		}
	})
}

// evidence returns what is not saved yet about recipients.
func (w *stageWorld) evidence() []ledger.Attempt {
	return slices.DeleteFunc(slices.Clone(w.job.lease.Unsaved()), func(a ledger.Attempt) bool { return a.OfChunk() })
}

func TestSending(t *testing.T) {
	t.Parallel()
	inStages(t, func(w *stageWorld) {
		w.claimed()
		w.rendered()
		w.answer = func(address string) error {
			if address == "b" {
				return &push.Error{Code: push.CodeFCMUnavailable}
			}
			return nil
		}
		w.job.state = turnOver
		w.run(&sending{requests: w.requests()}, "")
		w.codes(push.CodeOpen, push.CodeOpen, push.CodeOpen)
		w.job.state = turnOpen
		w.run(&sending{requests: w.requests()}, "")
		w.codes(push.CodeSent, push.CodeOpen, push.CodeSent)
		if len(w.asked) != 3 || w.job.retry.rows[1] != 2 || len(w.evidence()) != 3 {
			w.Errorf("asked %v, again %v, %d marks", w.asked, w.job.retry.rows, len(w.evidence()))
		}
	})
}

func TestSettling(t *testing.T) {
	t.Parallel()
	settle := func(w *stageWorld) *settling {
		return &settling{
			timing: w.timing, brakes: &brakes{}, heads: w.heads, outcomes: &w.told, completion: w.claiming().completion,
			deadLetters: &deadLetters{queue: workertest.Around{Queue: w.dead, Do: w.deadDo}, lane: push.LaneBulk, maxAttempts: 3, log: zap.NewNop()},
			queue:       workertest.Around{Queue: w.box, Do: w.boxDo}, maxAttempts: 3, metrics: w.metrics,
		}
	}
	for _, c := range []struct {
		name      string
		given     func(w *stageWorld)
		want      string
		state     ledger.State
		box, dead int
		completed int
	}{
		{"all got it", func(w *stageWorld) { w.job.settleAll(push.CodeSent, w.timing.now(), w.metrics) }, "ack", ledger.StateClosed, 0, 0, 1},
		{"nobody did", func(*stageWorld) {}, "ack", ledger.StateWaiting, 1, 0, 0},
		{"paused", func(w *stageWorld) {
			w.ledger.ChangeNotification(stageRef.Notification, func(n *push.Notification) { n.Progress.State = push.StatePaused })
			w.job.n.Progress.State = push.StatePaused
		}, "ack", ledger.StateParked, 0, 0, 0},
		{
			"one is given up", func(w *stageWorld) { w.job.dead = []result{{row: 1, code: push.CodeFCMUnavailable}} }, "ack", ledger.StateWaiting, 1,
			1, 0,
		},
		{"the queue is away", func(w *stageWorld) {
			w.boxDo = func(string, func() error) error { return errAway }
			w.job.settle(0, push.CodeSent, w.timing.now(), w.metrics)
		}, "error", ledger.StateClaimed, 0, 0, 0},
		{"the dead-letter queue is away", func(w *stageWorld) {
			w.deadDo = func(string, func() error) error { return errAway }
			w.job.dead = []result{{row: 1, code: push.CodeFCMUnavailable}}
		}, "ack", ledger.StateWaiting, 1, 0, 0},
		{
			"the line is another's", func(w *stageWorld) { w.change(func(l *ledger.Line) { l.Epoch, l.Owner = l.Epoch+1, "p2#1" }) }, "error",
			ledger.StateClaimed, 1, 0, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inStages(t, func(w *stageWorld) {
				w.claimed()
				c.given(w)
				w.run(settle(w), c.want)
				if l := w.ledger.AllLines()[stageRef]; l.State != c.state || !slices.Equal(l.Cells, w.job.lease.Line.Cells) {
					w.Errorf("stored %s with %v, known is %v", l.State, l.Cells, w.job.lease.Line.Cells)
				}
				if w.box.Len() != c.box || w.dead.Len() != c.dead || w.told.completed != c.completed {
					w.Errorf("%d handed back, %d letters, %d times completed", w.box.Len(), w.dead.Len(), w.told.completed)
				}
			})
		})
	}
}

// TestChain: the order of the stages is the life of a chunk.
func TestChain(t *testing.T) {
	t.Parallel()
	inStages(t, func(w *stageWorld) {
		d, err := New(Config{
			Owner: "p1", Notifications: w.ledger, Lines: w.ledger, Sender: w, Encoder: w, Guard: w.guard, Outcomes: &w.told,
			Chunks: map[push.Lane]worker.Sink{push.LaneBulk: w.box}, Dead: w.dead, Lane: push.LaneBulk, Window: 10, MaxAttempts: 3,
			MaxElapsed: time.Hour, Log: zap.NewNop(), Metrics: w.metrics, Now: time.Now, Rand: rand.New(rand.NewPCG(1, 2)),
		})
		if err != nil {
			w.Fatal(err)
		}
		defer d.Close()
		for _, s := range d.stages {
			w.run(s, map[bool]string{true: "ack"}[s == d.stages[len(d.stages)-1]])
		}
		if l := w.ledger.AllLines()[stageRef]; l.State != ledger.StateClosed || len(w.asked) != 3 || w.told.completed != 1 {
			w.Errorf("the line is %s after %d requests", l.State, len(w.asked))
		}
	})
}
