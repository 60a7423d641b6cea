package deliver_test

import (
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// TestIsolationIsOnePlace: while a suspected chunk of the process is being sent,
// another one waits, unclaimed, and is handed back when the process drains.
func TestIsolationIsOnePlace(t *testing.T) {
	t.Parallel()
	in(t, 10, nil, func(r *rig) {
		r.fcm.latency = 5 * time.Second
		second := r.another(1, 10)
		for _, c := range []push.Chunk{r.chunk, second} {
			l, err := r.lineOf(c.Ref).Claim("dead", 0, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			l.Vanished = ledger.SuspectAfter
			l.Reserve(0, 10)
			r.ledger.PutLine(l)
		}
		time.Sleep(time.Minute)
		first, draining := make(chan verdict), make(chan struct{})
		go func() { first <- r.receive(r.chunk, 4, nil) }()
		time.Sleep(time.Second)
		go func() {
			time.Sleep(time.Second)
			close(draining)
		}()
		if v := r.receive(second, 4, draining); v.word != "hand_back" || r.lineOf(second.Ref).Owner != "dead" {
			t.Errorf("%+v, owner %s", v, r.lineOf(second.Ref).Owner)
		}
		if v := <-first; v.word != "ack" || r.codes()[push.CodeSent] != 10 || r.line().Vanished != 0 {
			t.Errorf("%+v: %v, %d vanished", v, r.codes(), r.line().Vanished)
		}
		if r.fcm.most > 5 {
			t.Errorf("%d of 10 suspects were under way at once", r.fcm.most)
		}
		if v := r.receive(second, 5, nil); v.word != "ack" || r.lineOf(second.Ref).State != ledger.StateClosed {
			t.Errorf("%+v", v)
		}
	})
}

// TestIsolationIsDeferred: suspects that can't be sent to now stay suspects.
func TestIsolationIsDeferred(t *testing.T) {
	t.Parallel()
	in(t, 40, nil, func(r *rig) {
		l, err := r.line().Claim("dead", 0, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l.Vanished = ledger.SuspectAfter
		l.Reserve(8, 16)
		r.ledger.PutLine(l)
		time.Sleep(time.Minute)
		r.fcm.onSend = func(value string) {
			if value == name(9) {
				go r.setState(push.StatePaused)
			}
		}
		r.fcm.latency = time.Second
		if v := r.receive(r.chunk, 4, nil); v.word != "ack" {
			t.Fatalf("%+v", v)
		}
		switch l := r.line(); {
		case l.State != ledger.StateParked || l.Vanished != ledger.SuspectAfter+1 || l.Reserves(7) || l.Reserves(11) || !l.Reserves(12) ||
			!l.Reserves(15) || l.Reserves(16):
			t.Errorf("parked as %+v", l)
		case r.fcm.total != 4:
			t.Errorf("%d requests", r.fcm.total)
		}
	})
}

// receive handles a message that was received so often.
func (r *rig) receive(c push.Chunk, times int, draining <-chan struct{}) verdict {
	return look(r.Handle(r.tb.Context(), worker.Message{ID: "m", Body: r.encode(c), Group: "acme", Receives: times}, draining))
}
