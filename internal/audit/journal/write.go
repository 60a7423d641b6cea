package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// write stores what waits in a line, block by block, until nothing does.
func (j *Journal) write(l *line) {
	for {
		batch := j.next(l)
		if len(batch) == 0 {
			return
		}
		n, err := j.store(l, batch)
		j.settle(l, n, err)
		if err != nil && !worker.Wait(j.stop, retryWait/2+jitter(retryWait)) {
			return
		}
	}
}

// next returns what may be in the next block, which stays in the line. With nothing it ends
// the line's writer.
func (j *Journal) next(l *line) []audit.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stop.Err() != nil || len(l.pending) == 0 {
		l.running = false
		if len(j.lines) > mostLines && len(l.pending) == 0 {
			delete(j.lines, l.tenant)
		}
		return nil
	}
	batch := make([]audit.Entry, min(len(l.pending), audit.MaxEntries))
	for i := range batch {
		batch[i] = l.pending[i].entry
	}
	return batch
}

// settle takes the n entries that were stored out of the line, and tells who waits.
func (j *Journal) settle(l *line, n int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		j.cfg.Metrics.errors.Inc()
		if j.failing[l.tenant] == nil {
			j.cfg.Log.Error("the audit log cannot be written: calls that change something are refused until it can", zap.String("tenant", l.tenant),
				zap.Error(err))
		}
		j.failing[l.tenant] = err
		for _, i := range l.pending {
			i.answer(err)
		}
		return
	}
	if j.failing[l.tenant] != nil {
		j.cfg.Log.Info("the audit log is written again", zap.String("tenant", l.tenant))
		delete(j.failing, l.tenant)
	}
	for _, i := range l.pending[:n] {
		i.answer(nil)
	}
	j.waiting -= n
	l.pending = l.pending[n:]
}

// store puts the next block behind the chain's end, and returns how many entries it has. Other
// processes may come first; then it goes on from what they wrote. A block whose write failed
// may be stored nevertheless, so the same block is tried again before another one.
func (j *Journal) store(l *line, batch []audit.Entry) (int, error) {
	ctx, cancel := context.WithTimeout(j.stop, writeTime)
	defer cancel()
	if joint, ok := j.cfg.Store.(audit.Joint); ok {
		return len(batch), joint.JoinAudit(ctx, j, batch)
	}
	for range conflictTries {
		if err := j.prepare(ctx, l, batch); err != nil {
			return 0, err
		}
		err := j.cfg.Store.AppendAudit(ctx, *l.attempt)
		switch {
		case err == nil:
			return j.stored(ctx, l), nil
		case !errors.Is(err, push.ErrConflict):
			l.known = false
			return 0, err
		}
		j.cfg.Metrics.conflicts.Inc()
		l.attempt, l.known = nil, false
		if !worker.Wait(ctx, jitter(conflictWait)) {
			return 0, fmt.Errorf("append to the audit log: %w", ctx.Err())
		}
	}
	return 0, push.WithOutage(push.OutageThrottled, errors.New("other processes always come first in the audit log"))
}

// prepare makes the block that is to be written, unless there is one.
func (j *Journal) prepare(ctx context.Context, l *line, batch []audit.Entry) error {
	if l.attempt != nil {
		return nil
	}
	if !l.known {
		if err := j.find(ctx, l); err != nil {
			return err
		}
	}
	b, err := j.build(&l.head, batch)
	l.attempt = b
	return err
}

// find reads the chain's end. That it is not before what was written already is checked: who
// has cut the log off while it was in use shall be noticed at once.
func (j *Journal) find(ctx context.Context, l *line) error {
	last, err := j.cfg.Store.AuditBlocksBefore(ctx, l.tenant, math.MaxInt64, looked)
	if err != nil {
		return err
	}
	head := audit.EndOf(l.tenant, last)
	j.checkShrunk(&head, &l.head)
	l.head, l.known = head, true
	return nil
}

// looked is how many of a chain's last blocks are looked through for its end.
const looked = 20

// checkShrunk reports a chain that ends before what was written.
func (j *Journal) checkShrunk(head, written *audit.Head) {
	if head.Seq >= written.Seq {
		return
	}
	j.cfg.Metrics.shrunk.Inc()
	j.cfg.Log.Error("the audit log ends before what was written: somebody cut it off", zap.String("tenant", head.Tenant),
		zap.Int64("entries", head.Seq), zap.Int64("written", written.Seq), zap.Stringer("hash", written.Hash))
}

// build makes a block of as many entries as fit behind a head.
func (j *Journal) build(head *audit.Head, batch []audit.Entry) (*audit.Block, error) {
	b := &audit.Block{Tenant: head.Tenant, First: head.Seq + 1, Lines: make([]audit.Line, 0, len(batch))}
	hash, size := head.Hash, 0
	for n := range batch {
		e := batch[n]
		e.Seq = b.First + int64(n)
		raw, err := e.Canonical()
		if err != nil {
			return nil, err
		}
		if size += len(raw); n > 0 && (size > audit.MaxBytes || n >= audit.MaxEntries) {
			break
		}
		hash = audit.Next(hash, raw)
		b.Lines = append(b.Lines, audit.Line{Entry: raw, Hash: hash})
	}
	b.Head = audit.Head{Tenant: head.Tenant, Seq: head.Seq + int64(len(b.Lines)), Hash: hash, Time: j.cfg.Now()}
	j.cfg.Keys.Sign(&b.Head)
	return b, nil
}

// stored notes that the attempt is in the chain. Now and then it keeps the head apart; one
// that cannot be kept is followed by others.
func (j *Journal) stored(ctx context.Context, l *line) int {
	b := l.attempt
	l.head, l.known, l.attempt = b.Head, true, nil
	j.cfg.Metrics.count(b)
	if now := j.cfg.Now(); due(l.kept, now) {
		if err := j.cfg.Store.KeepAuditHead(ctx, b.Head); err == nil {
			l.kept = now
			j.logHead(&b.Head)
		}
	}
	return len(b.Lines)
}

// due reports whether a head is to be kept apart.
func due(kept, now time.Time) bool { return now.Sub(kept) >= headEvery || now.Before(kept) }

func (j *Journal) logHead(h *audit.Head) {
	j.cfg.Log.Info("audit head", zap.String("tenant", h.Tenant), zap.String("head", h.Brief()), zap.String("key", h.Key))
}
