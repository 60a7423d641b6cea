package workertest

import (
	"fmt"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

// steps are what is done to the wall clock: by NTP, by an operator, by a machine
// without a battery.
func steps() []time.Duration {
	return []time.Duration{-8 * time.Second, -time.Minute, time.Minute, 24 * time.Hour, -24 * time.Hour}
}

// clockCases are for queues that live on this machine. Delays and visibility
// timeouts are durations: whatever the wall clock is set to, they last as long as
// was asked for.
func clockCases() []testCase {
	local := func(f Features) bool { return f.VirtualClock && f.WallClock }
	var all []testCase
	for _, by := range steps() {
		for _, c := range []struct {
			name string
			run  func(k *kit, by time.Duration)
		}{
			{"a delay", stepInDelay},
			{"a visibility timeout", stepInVisibility},
			{"a message kept invisible", stepInExtension},
			{"a long poll", stepInWait},
			{"two processes", stepForTwo},
			{"a process that comes later", stepBeforeOpen},
			{"a restart meanwhile", stepWhileClosed},
		} {
			all = append(all, testCase{
				name: fmt.Sprintf("the wall clock is set by %v: %s", by, c.name), cfg: Config{Visibility: 30 * time.Second}, needs: local,
				run: func(k *kit) { c.run(k, by) },
			})
		}
	}
	return all
}

// set sets the wall clock.
func (k *kit) set(by time.Duration) { k.step.Add(int64(by)) }

// comes waits for the next message, which must come after just that time.
func (k *kit) comes(q worker.Queue, after time.Duration) worker.Message {
	k.Helper()
	begun := time.Now()
	for range 10 { // of 20 s each
		msgs, err := q.Receive(k.ctx, worker.MaxBatch, worker.MaxWait)
		if err != nil {
			k.Fatal(err)
		}
		if len(msgs) == 1 {
			if took := time.Since(begun); took < after-time.Millisecond || took > after+time.Second/2 {
				k.Errorf("it came after %v, want %v", took, after)
			}
			return msgs[0]
		}
	}
	k.Fatalf("nothing came in %v, want a message after %v", time.Since(begun), after)
	return worker.Message{}
}

func stepInDelay(k *kit, by time.Duration) {
	k.send(worker.Outgoing{Body: []byte("x"), Delay: 20 * time.Second})
	time.Sleep(5 * time.Second)
	k.set(by)
	k.comes(k.Queue, 15*time.Second)
}

func stepInVisibility(k *kit, by time.Duration) {
	k.send(text("x")...)
	k.one()
	time.Sleep(5 * time.Second)
	k.set(by)
	k.receives(k.comes(k.Queue, 25*time.Second), 2)
}

func stepInExtension(k *kit, by time.Duration) {
	k.send(text("x")...)
	m := k.one()
	for range 12 {
		time.Sleep(10 * time.Second)
		k.none(k.Queue, 0)
		k.set(by)
		k.none(k.Queue, 0)
		k.extend(30*time.Second, m)
	}
	k.receives(k.comes(k.Queue, 30*time.Second), 2)
}

func stepInWait(k *kit, by time.Duration) {
	k.send(worker.Outgoing{Body: []byte("x"), Delay: 10 * time.Second})
	out := k.waiter(k.ctx)
	begun := time.Now()
	time.Sleep(3 * time.Second)
	k.set(by)
	if got := <-out; got.err != nil || len(got.msgs) != 1 {
		k.Fatalf("received %d messages, %v", len(got.msgs), got.err)
	}
	if took := time.Since(begun); took < 10*time.Second || took > 10500*time.Millisecond {
		k.Errorf("it came after %v, want 10 s", took)
	}
	// What is sent after the step is as good as what was sent before.
	k.send(worker.Outgoing{Body: []byte("y"), Delay: 10 * time.Second})
	k.comes(k.Queue, 10*time.Second)
}

// stepForTwo: what one process has in hand another one must not get, and what
// one delays the other one gets in time.
func stepForTwo(k *kit, by time.Duration) {
	other := k.Another(k.T)
	k.send(text("held")...)
	k.one()
	k.set(by)
	k.none(other, 0)
	k.send(worker.Outgoing{Body: []byte("later"), Delay: 10 * time.Second})
	m := k.comes(other, 10*time.Second)
	if string(m.Body) != "later" {
		k.Fatalf("received %q", m.Body)
	}
	k.set(-by) // somebody finds out
	synctest.Wait()
	k.receives(k.comes(other, 20*time.Second), 2) // the one that was held
}

// stepBeforeOpen: a process that knows only the new clock agrees with one that
// works by the old one, as soon as that has done anything.
func stepBeforeOpen(k *kit, by time.Duration) {
	k.set(by)
	k.send(text("held")...)
	k.one()
	other := k.Another(k.T)
	k.none(other, 0)
	k.send(worker.Outgoing{Body: []byte("later"), Delay: 10 * time.Second})
	m := k.comes(other, 10*time.Second)
	if string(m.Body) != "later" {
		k.Fatalf("received %q", m.Body)
	}
	k.receives(k.comes(k.Queue, 20*time.Second), 2)
}

// stepWhileClosed: when nobody was there to notice, no time is known to have
// passed if the clock was set back, and messages come early if it was set
// forward; none is kept for longer than was asked for.
func stepWhileClosed(k *kit, by time.Duration) {
	if k.Reopen == nil {
		k.Skip("the driver has nothing to reopen")
	}
	k.send(worker.Outgoing{Body: []byte("x"), Delay: 20 * time.Second})
	k.set(by)
	q := k.Reopen(k.T)
	after := 20 * time.Second
	if by > 0 {
		after = max(0, after-by)
	}
	begun := time.Now()
	for {
		msgs, err := q.Receive(k.ctx, worker.MaxBatch, worker.MaxWait)
		if err != nil {
			k.Fatal(err)
		}
		if len(msgs) == 1 {
			break
		}
		if time.Since(begun) > time.Minute {
			k.Fatal("it does not come")
		}
	}
	if took := time.Since(begun); took < after || took > after+5500*time.Millisecond {
		k.Errorf("it came after %v, want %v", took, after)
	}
}
