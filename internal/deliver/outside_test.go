package deliver_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// kill is one from outside: so long after a process began its so-manieth request,
// or after it started for 0.
type kill struct {
	after int
	delay time.Duration
}

// asks notes a request, and returns what notes its end.
func (w *plague) asks(value string, p *process) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flying[value]++
	w.begun++
	w.await(p, w.begun)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.flying[value]--; w.flying[value] <= 0 {
			delete(w.flying, value)
		}
	}
}

// await has the process killed from outside, if its time has come.
func (w *plague) await(p *process, request int) {
	if w.deaths < len(w.outside) && w.outside[w.deaths].after == request {
		delay := w.outside[w.deaths].delay
		go func() {
			select {
			case <-time.After(delay):
				w.die(p)
			case <-p.ctx.Done(): // the clock stops with the test
			}
		}()
	}
}

// die kills a process, and takes down whether that is evidence against anybody: it
// has been up for some seconds, and has one request under way, of the only line
// that it holds.
func (w *plague) die(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !p.alive() {
		return
	}
	if len(w.flying) == 1 && time.Since(w.started) >= 5*time.Second && w.held(w.owner()+"#") == 1 {
		for value := range w.flying {
			w.alone[value]++
		}
	}
	p.left.Store(0)
	p.kill()
}

func (w *plague) owner() string { return fmt.Sprintf("p%d", w.deaths) }

// held counts the lines that owners hold whose names begin so.
func (r *rig) held(owner string) (n int) {
	for _, l := range r.ledger.AllLines() {
		if l.State == ledger.StateClaimed && strings.HasPrefix(l.Owner, owner) {
			n++
		}
	}
	return n
}

// TestKillsFromOutside: whenever a process is killed, and whatever it sends to just
// then, nobody is convicted without three deaths in which nothing else was in hand
// of a process that was no longer starting.
func TestKillsFromOutside(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 3, 40}).Draw(rt, "recipients")
		latency := time.Duration(rapid.SampledFrom([]int{30, 700, 3000}).Draw(rt, "latency")) * time.Millisecond
		beside := rapid.IntRange(0, 3).Draw(rt, "chunks beside")
		visibility := time.Duration(rapid.SampledFrom([]int{1, 30}).Draw(rt, "visibility")) * time.Second
		poison := rapid.IntRange(-3, n-1).Draw(rt, "poison, if any")
		aim := rapid.Custom(func(rt *rapid.T) kill {
			return kill{rapid.IntRange(0, 3).Draw(rt, "after request"), time.Duration(rapid.IntRange(0, 12_000).Draw(rt, "ms")) * time.Millisecond}
		})
		kills := rapid.SliceOfN(aim, 1, 8).Draw(rt, "kills")
		problem := ""
		synctest.Test(t, func(t *testing.T) {
			r := setup(t, n, func(r *rig) { r.cfg.Window = 20 })
			r.Close()
			r.fcm.latency = latency
			w := &plague{rig: r, box: &mailbox{}, poison: map[string]bool{}, outside: kills, visibility: visibility}
			if poison >= 0 {
				w.poison[name(poison)] = true
			}
			chunks := []push.Chunk{r.chunk}
			for i := range beside {
				chunks = append(chunks, r.another(i+1, n))
			}
			for _, c := range chunks {
				_ = w.box.Send(t.Context(), []worker.Outgoing{{Body: r.encode(c)}})
			}
			if problem = w.run(); problem == "" {
				problem = w.verify(chunks)
			}
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// TestTrialEndsWithDraining: a process that is told to end may be killed soon, and
// that is no evidence against whom it sends to.
func TestTrialEndsWithDraining(t *testing.T) {
	t.Parallel()
	in(t, 3, nil, func(r *rig) {
		l, err := r.line().Claim("dead", 0, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l.Vanished = ledger.SuspectAfter
		l.Reserve(1, 2)
		r.ledger.PutLine(l)
		time.Sleep(time.Minute)
		r.fcm.latency = 10 * time.Second
		draining, end := make(chan struct{}), make(chan verdict)
		go func() { end <- r.receive(r.chunk, 4, draining) }()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if l := r.line(); !l.Trial || l.Vanished != 3 || r.fcm.sends() != 1 {
			t.Errorf("trial %t after %d deaths, %d requests", l.Trial, l.Vanished, r.fcm.sends())
		}
		close(draining)
		time.Sleep(time.Second)
		if l := r.line(); l.Trial || l.State != ledger.StateClaimed {
			t.Errorf("trial %t, %s", l.Trial, l.State)
		}
		if v := <-end; v.word != "ack" || r.line().Vanished != 0 || r.codes()[push.CodeSent] != 1 {
			t.Errorf("%+v: %+v", v, r.line())
		}
	})
}

// TestTrialIsAlone: while a recipient is on trial no other chunk of the process is
// claimed, and those in hand have ended before it begins.
func TestTrialIsAlone(t *testing.T) {
	t.Parallel()
	in(t, 1, nil, func(r *rig) {
		r.fcm.latency = 8 * time.Second
		before, after := r.another(1, 10), r.another(2, 10)
		l, err := r.line().Claim("dead", 0, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l.Vanished = ledger.SuspectAfter
		l.Reserve(0, 1)
		r.ledger.PutLine(l)
		time.Sleep(time.Minute)
		ends := make(chan verdict)
		start := func(c push.Chunk, receives int) {
			go func() { ends <- r.receive(c, receives, nil) }()
			time.Sleep(3 * time.Second)
		}
		start(before, 1)
		start(r.chunk, 4)
		start(after, 1)
		for i, want := range [][]int64{{10, 0, 0}, {10, 1, 0}, {10, 1, 10}} {
			if v := <-ends; v.word != "ack" {
				t.Errorf("%+v", v)
			}
			synctest.Wait()
			got := []int64{}
			for _, c := range []push.Chunk{before, r.chunk, after} {
				l := r.lineOf(c.Ref)
				tally := l.Tally()
				got = append(got, tally.ByClass()[push.ClassSent])
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("when %d have ended, %v are sent, want %v", i+1, got, want)
			}
		}
	})
}
