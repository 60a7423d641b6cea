// Package workertest is the conformance suite of worker.Queue: what every
// driver must do, checked through the port alone. A driver that a service of
// others stands behind says with Features what that service does not promise.
package workertest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

// Config is what a case wants of its queue.
type Config struct {
	// Visibility is the queue's visibility timeout, in whole seconds.
	Visibility time.Duration
	// MaxReceives, when not 0, wants a dead-letter queue behind the queue.
	MaxReceives int
	// Now is the wall clock, which some cases set. A driver whose queue stands on
	// another machine has no use for it.
	Now func() time.Time
}

// Harness is one fresh, empty queue, for one case. What it needs is released
// with t.Cleanup.
type Harness struct {
	Queue       worker.Queue
	DeadLetters worker.Queue // nil without Config.MaxReceives

	// Reopen drops the queue and opens it again from what is durable, as a
	// restarted process would. nil skips the cases that need it.
	Reopen func(t *testing.T) worker.Queue
	// Another opens the same queue once more, as another process of this machine
	// would. Needed with Features.WallClock.
	Another func(t *testing.T) worker.Queue
}

// Features is what a driver promises beyond what every one must do. The zero
// value is the least.
type Features struct {
	// VirtualClock runs every case in a synctest bubble, where waiting takes no
	// time and can be measured to the nanosecond. Only for drivers that do not
	// talk to another process.
	VirtualClock bool

	// WallClock says that the queue lives on this machine and takes the time from
	// Config.Now where it needs the date.
	WallClock bool

	Groups                bool // a received message has its group
	Fairness              bool // groups are served in rotation
	Depth                 bool // the queue is a worker.Gauge with exact numbers
	ExactReceiveCounts    bool // Receives counts each receive once
	Redrive               bool // messages received too often go to the dead-letter queue
	GarbageReceiptRefused bool // a receipt that never was is reported as push.ErrNotFound
	StaleReceiptRefused   bool // the receipt of an earlier receive no longer extends or deletes
	EmojiBodies           bool // characters beyond U+FFFF survive
}

// Run runs all cases. open is called once in each; it may skip.
func Run(t *testing.T, open func(t *testing.T, cfg Config) Harness, f Features) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.needs != nil && !c.needs(f) {
				t.Skip("the driver does not promise this")
			}
			if f.VirtualClock {
				synctest.Test(t, func(t *testing.T) { c.test(t, open, f) })
				return
			}
			c.test(t, open, f)
		})
	}
}

// testCase is one thing that a queue must do.
type testCase struct {
	name  string
	cfg   Config
	needs func(Features) bool // nil: every driver
	run   func(k *kit)
}

func (c testCase) test(t *testing.T, open func(t *testing.T, cfg Config) Harness, f Features) {
	t.Helper()
	cfg := c.cfg
	if cfg.Visibility == 0 {
		cfg.Visibility = time.Minute // does not lapse during a case
	}
	step := new(atomic.Int64)
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(step.Load())) }
	c.run(&kit{T: t, Harness: open(t, cfg), ctx: t.Context(), features: f, step: step})
}

func cases() []testCase {
	var all []testCase
	all = append(all, roundTripCases()...)
	all = append(all, limitCases()...)
	all = append(all, visibilityCases()...)
	all = append(all, waitCases()...)
	all = append(all, clockCases()...)
	all = append(all, groupCases()...)
	return append(all, crowdCases()...)
}

// kit is what a case works with.
type kit struct {
	*testing.T
	Harness

	ctx      context.Context //nolint:containedctx // of the test, lives as long
	features Features
	step     *atomic.Int64 // by which the wall clock was set, in nanoseconds
}

// lapse is a visibility timeout short enough to be waited for, in the smallest
// unit that SQS knows; patience is a wait that outlasts it.
const (
	lapse    = time.Second
	patience = 3 * time.Second
)

// send sends a batch that must be taken whole.
func (k *kit) send(msgs ...worker.Outgoing) {
	k.Helper()
	if err := k.Queue.Send(k.ctx, msgs); err != nil {
		k.Fatalf("Send(%d messages): %v", len(msgs), err)
	}
}

// sendMany sends n messages of a group, named "<group>-<number>".
func (k *kit) sendMany(group string, n int) {
	k.Helper()
	for from := 0; from < n; from += worker.MaxBatch {
		var batch []worker.Outgoing
		for i := from; i < min(n, from+worker.MaxBatch); i++ {
			batch = append(batch, worker.Outgoing{Body: fmt.Appendf(nil, "%s-%d", group, i), Group: group})
		}
		k.send(batch...)
	}
}

// collect receives exactly n messages from q.
func (k *kit) collect(q worker.Queue, n int) []worker.Message {
	k.Helper()
	var got []worker.Message
	// SQS may answer a poll with nothing although there is something.
	for empty := 0; len(got) < n && empty < 3; {
		msgs, err := q.Receive(k.ctx, min(worker.MaxBatch, n-len(got)), patience)
		if err != nil {
			k.Fatalf("Receive: %v", err)
		}
		if len(msgs) == 0 {
			empty++
		}
		got = append(got, msgs...)
	}
	if len(got) != n {
		k.Fatalf("received %d messages, want %d", len(got), n)
	}
	return got
}

// one receives one message.
func (k *kit) one() worker.Message {
	k.Helper()
	return k.collect(k.Queue, 1)[0]
}

// none checks that there is nothing to receive within wait.
func (k *kit) none(q worker.Queue, wait time.Duration) {
	k.Helper()
	msgs, err := q.Receive(k.ctx, worker.MaxBatch, wait)
	if err != nil {
		k.Fatalf("Receive: %v", err)
	}
	if len(msgs) != 0 {
		k.Fatalf("received %d messages, want none; the first is %.60q (receive %d)", len(msgs), msgs[0].Body, msgs[0].Receives)
	}
}

// notYet looks once for messages that must not come within d of begun. On a real
// clock that time may be over by the answer: then it returns what came.
func (k *kit) notYet(begun time.Time, d time.Duration) []worker.Message {
	k.Helper()
	msgs, err := k.Queue.Receive(k.ctx, 1, 0)
	if err != nil {
		k.Fatalf("Receive: %v", err)
	}
	if took := time.Since(begun); len(msgs) != 0 && took < d {
		k.Fatalf("received %.60q after %v, want nothing within %v", msgs[0].Body, took, d)
	}
	return msgs
}

func (k *kit) remove(msgs ...worker.Message) {
	k.Helper()
	if err := k.Queue.Delete(k.ctx, msgs); err != nil {
		k.Fatalf("Delete: %v", err)
	}
}

func (k *kit) extend(visibility time.Duration, msgs ...worker.Message) {
	k.Helper()
	if err := k.Queue.Extend(k.ctx, msgs, visibility); err != nil {
		k.Fatalf("Extend(%v): %v", visibility, err)
	}
}

// receives checks a receive count.
func (k *kit) receives(m worker.Message, want int) {
	k.Helper()
	if m.Receives != want && (k.features.ExactReceiveCounts || m.Receives < want) {
		k.Errorf("Receives = %d, want %d", m.Receives, want)
	}
}

// stopwatch returns the time since the call, to be compared on a virtual clock
// only: there it is exact.
func (k *kit) stopwatch() func(want time.Duration) {
	start := time.Now()
	return func(want time.Duration) {
		k.Helper()
		if got := time.Since(start); k.features.VirtualClock && got != want {
			k.Errorf("took %v, want %v", got, want)
		}
	}
}

// text makes messages of bodies.
func text(bodies ...string) []worker.Outgoing {
	msgs := make([]worker.Outgoing, len(bodies))
	for i, b := range bodies {
		msgs[i].Body = []byte(b)
	}
	return msgs
}
