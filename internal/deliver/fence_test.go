package deliver_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

func messageOf(body []byte) worker.Message { return worker.Message{ID: "m", Body: body, Group: "acme"} }

// TestTakenOver: another owner takes the line; the first one stops, writes
// nothing more, and leaves its message alone.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	in(t, 400, nil, func(r *rig) {
		r.fcm.latency = 500 * time.Millisecond
		var taken ledger.Line
		taking := after(1200*time.Millisecond, func() {
			l := r.line()
			l, err := l.Claim("other", 0, time.Now().Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			r.ledger.PutLine(l)
			taken = l
		})
		start := time.Now()
		if v := r.deliver(r.chunk); v.word != "leave" {
			t.Errorf("%+v", v)
		}
		taking()
		if took := time.Since(start); took > 2500*time.Millisecond {
			t.Errorf("stopped only after %v", took)
		}
		synctest.Wait() // for whoever took it
		if diff := cmp.Diff(taken, r.line()); diff != "" {
			t.Errorf("written over:\n%s", diff)
		}
		if r.fcm.total > 100 || len(r.queue.msgs) != 0 || len(r.out.settled) != 0 {
			t.Errorf("%d requests, %d messages, %d effects", r.fcm.total, len(r.queue.msgs), len(r.out.settled))
		}
	})
}

// TestClaimOfWhatWasReadBefore: a claim made of a line that its slow owner has
// written since is refused; it would undo outcomes.
func TestClaimOfWhatWasReadBefore(t *testing.T) {
	t.Parallel()
	in(t, 400, nil, func(r *rig) {
		r.fcm.latency = 50 * time.Millisecond
		go func() {
			time.Sleep(200 * time.Millisecond)
			read := r.line()
			time.Sleep(300 * time.Millisecond)
			claimed, err := read.Claim("other", 0, time.Now().Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			if err := r.store.SaveLine(r.tb.Context(), claimed, read.Epoch, nil); !errors.Is(err, ledger.ErrFenced) {
				t.Errorf("the claim: %v", err)
			}
		}()
		r.finish()
		if r.fcm.total != 400 {
			t.Errorf("%d requests", r.fcm.total)
		}
		r.checkDuplicates()
	})
}

// TestClaimLost: of two who claim at once one waits a little, and looks again.
func TestClaimLost(t *testing.T) {
	t.Parallel()
	in(t, 3, nil, func(r *rig) {
		r.saves.Before = func(ledger.Line) error { return ledger.ErrFenced }
		if v := r.deliver(r.chunk); v.word != "retry" || v.after != 4*time.Second || r.fcm.total != 0 {
			t.Errorf("%+v, %d requests", v, r.fcm.total)
		}
	})
}

func TestMessagesThatComeLate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		line func(l ledger.Line) ledger.Line
		want string
	}{
		{"closed", func(l ledger.Line) ledger.Line {
			for i := range l.Cells {
				l.Settle(i, push.CodeSent, false)
			}
			return l.Close(time.Now())
		}, "ack"},
		{"stale", func(l ledger.Line) ledger.Line { return l.HandBack(ledger.StateWaiting, 1, time.Now()) }, "ack"},
		{"busy", func(l ledger.Line) ledger.Line { return l }, "retry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in(t, 3, nil, func(r *rig) {
				l, err := r.line().Claim("other", 0, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				r.ledger.PutLine(c.line(l))
				want := r.line()
				if v := r.deliver(r.chunk); v.word != c.want || r.fcm.total != 0 {
					t.Errorf("%+v, %d requests", v, r.fcm.total)
				}
				if diff := cmp.Diff(want, r.line()); diff != "" {
					t.Errorf("the line changed:\n%s", diff)
				}
			})
		})
	}
}

// TestCopiesInOneProcess: two copies of a message in hand at once must not take
// each other for themselves.
func TestCopiesInOneProcess(t *testing.T) {
	t.Parallel()
	in(t, 100, nil, func(r *rig) {
		r.fcm.latency = 300 * time.Millisecond
		second := make(chan verdict)
		go func() {
			time.Sleep(time.Second)
			second <- r.deliver(r.chunk)
		}()
		if v := r.deliver(r.chunk); v.word != "ack" {
			t.Errorf("%+v", v)
		}
		if v := <-second; v.word != "retry" {
			t.Errorf("the copy: %+v", v)
		}
		if r.fcm.total != 100 {
			t.Errorf("%d requests for 100 recipients", r.fcm.total)
		}
		r.checkDuplicates()
	})
}

// TestCrashBeforeCompletion: the line is closed, the notification is not told
// so; the message that comes again does it, once.
func TestCrashBeforeCompletion(t *testing.T) {
	t.Parallel()
	in(t, 1, nil, func(r *rig) {
		l := r.line()
		l.Settle(0, push.CodeSent, false)
		r.ledger.PutLine(l.Close(time.Now()))
		for range 2 {
			if v := r.deliver(r.chunk); v.word != "ack" {
				t.Errorf("%+v", v)
			}
		}
		if p := r.head().Progress; p.State != push.StateCompleted || !p.Enqueued || len(r.out.completed) != 1 || r.fcm.total != 0 {
			t.Errorf("%+v, told %d times", p, len(r.out.completed))
		}
	})
}

// TestNotTheOnlyChunk: a chunk of several does not complete its notification.
func TestNotTheOnlyChunk(t *testing.T) {
	t.Parallel()
	for _, change := range []func(r *rig){
		func(r *rig) { r.change(func(n *push.Notification) { n.Progress.Pages = 2 }) },
		func(r *rig) {
			l := r.line()
			l.Last = false
			r.ledger.PutLine(l)
		},
	} {
		in(t, 1, change, func(r *rig) {
			r.finish()
			if r.head().Progress.State != push.StateAccepted || len(r.out.completed) != 0 || r.codes()[push.CodeSent] != 1 {
				t.Errorf("%+v, %v", r.head().Progress, r.codes())
			}
		})
	}
}

// TestMessagesOfAFencedOwner: such a message may lack cells that are open, and
// be of the same turn as the right one. In whatever order they come, nobody is
// forgotten.
func TestMessagesOfAFencedOwner(t *testing.T) {
	t.Parallel()
	bad := answer{code: push.CodeFCMUnavailable}
	for _, c := range []struct {
		name   string
		script map[string][]answer
	}{
		{"its rows end at once", nil},
		{"its rows need another turn", map[string][]answer{name(4): {bad}}},
		{"the others need another turn", map[string][]answer{name(0): {bad}, name(2): {bad, bad}}},
	} {
		for _, partialFirst := range []bool{true, false} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				in(t, 5, nil, func(r *rig) {
					if c.script != nil {
						r.fcm.script = c.script
					}
					l := r.line()
					l.State, l.Epoch, l.Turn = ledger.StateWaiting, 2, 1
					r.ledger.PutLine(l)
					r.chunk.Turn = 1
					partial := r.chunk
					partial.Recipients, partial.Index = r.chunk.Recipients[3:], r.chunk.Index[3:]
					first, second := partial, r.chunk
					if !partialFirst {
						first, second = second, first
					}
					_ = r.queue.Send(r.tb.Context(), []worker.Outgoing{{Body: r.encode(first)}})
					r.chunk = second
					r.finish() // sends r.chunk behind what waits
					r.checkDuplicates()
				})
			})
		}
	}
}

// TestStaleHead: a notification that was read long ago is read again by every
// chunk that comes, also when several come at once.
func TestStaleHead(t *testing.T) {
	t.Parallel()
	in(t, 40, nil, func(r *rig) {
		r.fcm.latency = 10 * time.Millisecond
		one := r.chunk
		one.Recipients, one.Index = one.Recipients[:1], one.Index[:1]
		if v := r.deliver(one); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		time.Sleep(5 * time.Minute)
		r.setState(push.StatePaused)
		r.slow = 20 * time.Millisecond
		before := r.fcm.total
		verdicts := make(chan verdict)
		for range 5 {
			go func() { verdicts <- r.deliver(r.chunk) }()
		}
		for range 5 {
			<-verdicts
		}
		if r.fcm.total != before {
			t.Errorf("%d requests of a paused notification", r.fcm.total-before)
		}
	})
}
