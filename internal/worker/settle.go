package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/telemetry/about"
	"github.com/belfry-push/belfry/internal/wire"
)

// settled is a message with its verdict, waiting to be carried out.
type settled struct {
	msg     Message
	verdict Verdict
	release func(Message)
}

// settler carries verdicts out in batches: what must exist first is sent, then
// the originals are deleted. A crash in between leaves a duplicate, never a gap.
type settler struct {
	cfg     Config
	queue   Queue
	dead    Sink
	log     *zap.Logger
	metrics *Metrics
	turn    chan struct{} // holds one: whoever took it collects, so that verdicts share calls
}

func newSettler(cfg Config, queue Queue, dead Sink, log *zap.Logger, metrics *Metrics) *settler {
	return &settler{cfg: cfg, queue: queue, dead: dead, log: log, metrics: metrics, turn: make(chan struct{}, 1)}
}

// batchWait is how long a verdict may wait for others to share its call. On a
// busy queue batches fill long before.
const batchWait = 20 * time.Millisecond

// run works until in is closed. Its calls outlive ctx by up to settleGrace, so
// that verdicts reached at shutdown are still carried out.
func (s *settler) run(ctx context.Context, in <-chan settled) {
	const settleGrace = 5 * time.Second
	for {
		s.turn <- struct{}{}
		batch := collect(in)
		<-s.turn
		if len(batch) == 0 {
			return
		}
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleGrace)
		s.carryOut(call, batch)
		cancel()
	}
}

// collect waits for a verdict and gathers up to MaxBatch, for at most batchWait.
// None means that in is closed.
func collect(in <-chan settled) []settled {
	first, ok := <-in
	if !ok {
		return nil
	}
	batch := append(make([]settled, 0, MaxBatch), first)
	timer := time.NewTimer(batchWait)
	defer timer.Stop()
	for len(batch) < MaxBatch {
		select {
		case next, ok := <-in:
			if !ok {
				return batch
			}
			batch = append(batch, next)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

func (s *settler) carryOut(ctx context.Context, batch []settled) {
	var deletes, handBacks []Message
	var retries, deads, buried []settled
	passed := map[string][]settled{}
	for _, b := range batch {
		switch b.verdict.kind {
		case kindAck:
			deletes = append(deletes, b.msg)
		case kindRetry:
			retries = append(retries, b)
		case kindDead:
			deads = append(deads, b)
		case kindHandBack:
			handBacks = append(handBacks, b.msg)
		case kindDeadLetter:
			buried = append(buried, b)
		case kindPass:
			passed[b.verdict.to] = append(passed[b.verdict.to], b)
		case kindLeave:
		}
	}
	deletes = append(deletes, s.send(ctx, s.queue, retries, s.again)...)
	deletes = append(deletes, s.send(ctx, s.dead, deads, s.letter)...)
	deletes = append(deletes, s.send(ctx, s.dead, buried, unchanged)...)
	for queue, moved := range passed {
		deletes = append(deletes, s.send(ctx, s.cfg.Homes[queue], moved, unchanged)...)
	}
	if len(deletes) > 0 {
		s.report("delete", s.queue.Delete(ctx, deletes))
	}
	if len(handBacks) > 0 {
		s.report("extend", s.queue.Extend(ctx, handBacks, 0))
	}
	for _, b := range batch {
		b.release(b.msg)
	}
}

// send puts one new message on sink for each verdict, in as few calls as the
// size limit allows, and returns the originals that may be deleted now.
func (s *settler) send(ctx context.Context, sink Sink, batch []settled, build func(settled) (Outgoing, error)) []Message {
	var done []Message
	var out []Outgoing
	var from []Message
	size := 0
	flush := func() {
		if len(out) == 0 {
			return
		}
		err := sink.Send(ctx, out)
		s.report("send", err)
		partial, isPartial := errors.AsType[*BatchError](err)
		for i, m := range from {
			if err == nil || isPartial && partial.Failed[i] == nil {
				done = append(done, m)
			}
		}
		out, from, size = nil, nil, 0
	}
	for _, b := range batch {
		o, err := build(b)
		if err != nil {
			s.report("send", err)
			continue
		}
		if size+len(o.Body) > MaxBodyBytes {
			flush()
		}
		out, from, size = append(out, o), append(from, b.msg), size+len(o.Body)
	}
	flush()
	return done
}

func (s *settler) again(b settled) (Outgoing, error) {
	body := b.verdict.body
	if body == nil {
		body = b.msg.Body
	}
	return Outgoing{Body: body, Group: b.msg.Group, Delay: wholeSeconds(b.verdict.after)}, nil
}

// unchanged returns the message as it came.
func unchanged(b settled) (Outgoing, error) {
	return Outgoing{Body: b.msg.Body, Group: b.msg.Group}, nil
}

func (s *settler) letter(b settled) (Outgoing, error) {
	d := s.deadLetter(&b)
	s.log.Warn("message dead-lettered", zap.Stringer("code", d.Code), zap.String("detail", d.Detail),
		about.Message(d.ID, d.Group, d.Body, b.msg.TraceParent), zap.Int("receives", d.Receives),
		zap.Int("bytes", len(d.Body)), telemetry.EachMinute())
	body, err := wire.EncodeCutDeadLetter(&d)
	return Outgoing{Body: body, Group: b.msg.Group}, err
}

// deadLetter returns the letter of a message that died. One that had died before
// stays the same letter: who it was, where it came from and when it was sent are
// the first death's.
func (s *settler) deadLetter(b *settled) push.DeadLetter {
	d := push.DeadLetter{Queue: s.cfg.Name, ID: b.msg.ID, Body: b.msg.Body, Group: b.msg.Group, SentAt: b.msg.SentAt}
	if before := b.verdict.letter; before != nil {
		d = *before
		d.Queue = cmp.Or(d.Queue, s.cfg.Name)
	}
	d.Receives += b.msg.Receives
	d.Code, d.Detail, d.At, d.Software = b.verdict.code, clip(b.verdict.detail), time.Now(), s.cfg.Software
	return d
}

// clip bounds the detail of a dead letter: a foreign message of a megabyte may have
// any number of faults.
func clip(detail string) string {
	const most = 4 << 10
	if len(detail) <= most {
		return detail
	}
	return fmt.Sprintf("%s… (%d bytes in all)", strings.ToValidUTF8(detail[:most], ""), len(detail))
}

func (s *settler) report(op string, err error) {
	if err != nil {
		s.metrics.failures.WithLabelValues(s.cfg.Name, op).Inc()
		s.log.Warn("settling messages failed; they come back", zap.String("op", op), zap.Error(err))
	}
}

// wholeSeconds rounds up: SQS delays have no fractions, and waiting longer is
// always allowed.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
