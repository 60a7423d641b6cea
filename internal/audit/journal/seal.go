package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

var _ audit.Sealer = (*Journal)(nil)

// end is the end of a chain as this process committed it last.
type end struct {
	head audit.Head
	kept time.Time // when a head was kept last
	last time.Time // of its last entry
}

// waited is how much older than its predecessor an entry may be because it waited for its turn in this process: more is a
// clock that went back, and stays visible.
const waited = time.Second

// inTime returns the entries with times that only a clock that went back makes go back. It notes the last one.
func inTime(entries []audit.Entry, e *end) []audit.Entry {
	entries = slices.Clone(entries)
	for i := range entries {
		if at := &entries[i].Time; at.Before(e.last) && e.last.Sub(*at) < waited {
			*at = e.last
		}
		e.last = entries[i].Time
	}
	return entries
}

// Seal makes the blocks that a store commits with what they are about. What it returns counts as written only when it is
// durable: the transaction may fail.
func (j *Journal) Seal(ctx context.Context, c audit.Chain, entries []audit.Entry) (audit.Sealed, error) {
	tenant := c.Tenant()
	known := j.endOf(tenant)
	head, err := j.follow(ctx, c, &known.head)
	if err != nil {
		return audit.Sealed{}, err
	}
	entries = inTime(entries, &known)
	var s audit.Sealed
	for len(entries) > 0 {
		b, err := j.build(&head, entries)
		if err != nil {
			return audit.Sealed{}, err
		}
		s.Blocks = append(s.Blocks, *b)
		head, entries = b.Head, entries[len(b.Lines):]
	}
	next, now := end{head, known.kept, known.last}, j.cfg.Now()
	if s.Keep = due(known.kept, now); s.Keep {
		next.kept = now
	}
	s.Durable = func() {
		j.setEnd(tenant, next)
		for i := range s.Blocks {
			j.cfg.Metrics.count(&s.Blocks[i])
		}
		if s.Keep {
			j.logHead(&head)
		}
	}
	return s, nil
}

// follow returns the chain's end: what this process has written last, or what others have since.
func (j *Journal) follow(ctx context.Context, c audit.Chain, known *audit.Head) (audit.Head, error) {
	last, err := c.Last(ctx)
	switch {
	case err == nil && known.Seq > 0 && last.Head.Seq == known.Seq && last.Head.Hash == known.Hash:
		return *known, nil
	case err != nil && !errors.Is(err, push.ErrNotFound):
		return audit.Head{}, fmt.Errorf("look for the end of the audit log: %w", err)
	}
	blocks, err := c.Before(ctx, looked)
	if err != nil {
		return audit.Head{}, fmt.Errorf("look for the end of the audit log: %w", err)
	}
	head := audit.EndOf(c.Tenant(), blocks)
	j.checkShrunk(&head, known)
	return head, nil
}

func (j *Journal) endOf(tenant string) end {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ends[tenant]
}

func (j *Journal) setEnd(tenant string, e end) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.ends) >= mostLines {
		clear(j.ends) // the next of each looks for its end
	}
	j.ends[tenant] = e
}
