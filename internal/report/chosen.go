package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Choice says which deliveries of a notification are explained when nobody names a recipient.
type Choice string

// The closed set of choices.
const (
	// ChoiceSlowest takes those that are still open, the most often tried first, and then those
	// whose answer came last.
	ChoiceSlowest Choice = "slowest"
	// ChoiceFailed takes those that ended without being sent, but for what Belfry or its caller
	// chose not to send: of each code one after the other.
	ChoiceFailed Choice = "failed"
)

// MaxChosen is how many deliveries are chosen at most: each may take a plan, a page of names
// and the evidence of a chunk of its own.
const MaxChosen = 20

// Chosen explains up to limit (1..MaxChosen) deliveries of a tenant's notification. Errors are
// push.ErrNotFound.
//
// It reads all lines, a batch of them in memory at a time: O(chunks), what one sum of the
// counts takes. Of those it keeps limit deliveries, by what lines themselves say, and reads the
// evidence of the chunks that these are in. When an answer came stands in the evidence alone,
// but never after the line's last write: so the slowest are among the chunks that were written
// last, which are read one by one until none that is left can have a slower one. Those are
// mostly the first few, and never more than mostRead.
func (r *Reader) Chosen(ctx context.Context, tenant string, id push.ID, what Choice, limit int) (Trace, error) {
	v, err := r.Notification(ctx, tenant, id)
	if err != nil {
		return Trace{}, err
	}
	t := tracer{scan: scan{Reader: r, n: &v.Notification, pages: map[int]*page{}}, out: Trace{View: v}}
	leave, err := t.enter(ctx)
	if err != nil {
		return Trace{}, err
	}
	defer leave()
	c := chooser{tracer: &t, limit: max(1, min(limit, MaxChosen)), codes: map[push.Code][]spot{}}
	if err := c.run(ctx, what); err != nil {
		return Trace{}, fmt.Errorf("choose deliveries of %s: %w", id, err)
	}
	t.noteHeld()
	return t.out, nil
}

// chooser is one choice under way.
type chooser struct {
	*tracer

	limit  int
	open   []spot               // the best, at most limit
	codes  map[push.Code][]spot // of each code of failure the first ones, at most limit
	latest []written            // the lines that were written last and have answers, latest first
	beyond time.Time            // when the latest line was written that there was no room for
}

// spot is a delivery's place in the plan.
type spot struct {
	seq, cell   int
	tries, turn int // of its line
}

// written is a line, and when it was written last.
type written struct {
	seq int
	at  time.Time
}

// mostRead is of how many chunks the evidence is read at most, to find the slowest: some
// 300 KB each while it is read.
const mostRead = 64

// scanBatch is how many lines are read at once: 70 KB of cells.
const scanBatch = 128

func (c *chooser) run(ctx context.Context, what Choice) error {
	for from := 0; ; {
		lines, err := c.cfg.Chunks.Lines(ctx, c.n.ID, from, scanBatch)
		if err != nil {
			return fmt.Errorf("read lines: %w", err)
		}
		for i := range lines {
			if what == ChoiceFailed {
				c.failures(&lines[i])
			} else {
				c.slow(&lines[i])
			}
		}
		if len(lines) < scanBatch {
			break
		}
		from = lines[len(lines)-1].Ref.Seq + 1
	}
	if what == ChoiceFailed {
		return c.explainAll(ctx, c.varied())
	}
	if err := c.explainAll(ctx, c.open); err != nil {
		return err
	}
	return c.answeredLast(ctx)
}

// failures keeps what of a line has failed.
func (c *chooser) failures(line *ledger.Line) {
	for i, cell := range line.Cells {
		if code := cell.Code(); failed(code) && len(c.codes[code]) < c.limit {
			c.codes[code] = append(c.codes[code], spot{seq: line.Ref.Seq, cell: i})
		}
	}
}

// failed reports whether a delivery with this outcome failed.
func failed(code push.Code) bool {
	switch code.Class() {
	case push.ClassPermanent, push.ClassAmbiguous, push.ClassDeadLettered, push.ClassExpired:
		return true
	case push.ClassOpen, push.ClassRetryable, push.ClassSent, push.ClassSuppressed, push.ClassCancelled:
	}
	return false
}

// varied returns failures of as many kinds as there is room for: the first of each code, then
// the second of each, and so on.
func (c *chooser) varied() (all []spot) {
	codes := make([]push.Code, 0, len(c.codes))
	for code := range c.codes {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for nth := range c.limit {
		for _, code := range codes {
			if nth < len(c.codes[code]) && len(all) < c.limit {
				all = append(all, c.codes[code][nth])
			}
		}
	}
	return all
}

// slow keeps what of a line may be among the slowest.
func (c *chooser) slow(line *ledger.Line) {
	answers := false
	for i, cell := range line.Cells {
		if cell.Open() {
			c.keepOpen(spot{seq: line.Ref.Seq, cell: i, tries: line.Attempt, turn: line.Turn})
		} else {
			answers = answers || asked(cell.Code())
		}
	}
	if !answers {
		return
	}
	at, _ := slices.BinarySearchFunc(c.latest, line.UpdatedAt, func(w written, t time.Time) int { return t.Compare(w.at) })
	c.latest = slices.Insert(c.latest, at, written{line.Ref.Seq, line.UpdatedAt})
	if len(c.latest) > mostRead {
		if w := c.latest[mostRead]; w.at.After(c.beyond) {
			c.beyond = w.at
		}
		c.latest = c.latest[:mostRead]
	}
}

// asked reports whether FCM may have been asked before there was this outcome.
func asked(code push.Code) bool {
	switch code.Class() {
	case push.ClassSent, push.ClassPermanent, push.ClassAmbiguous, push.ClassDeadLettered:
		return true
	case push.ClassOpen, push.ClassRetryable, push.ClassSuppressed, push.ClassExpired, push.ClassCancelled:
	}
	return false
}

// keepOpen keeps a delivery that is open, if it is among those that were tried most often.
func (c *chooser) keepOpen(p spot) {
	better := func(a, b spot) int {
		return cmp.Or(cmp.Compare(b.tries, a.tries), cmp.Compare(b.turn, a.turn), cmp.Compare(a.seq, b.seq), cmp.Compare(a.cell, b.cell))
	}
	if n := len(c.open); n == c.limit && better(c.open[n-1], p) < 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(c.open, p, better)
	c.open = slices.Insert(c.open, at, p)
	c.open = c.open[:min(len(c.open), c.limit)]
}

// answeredLast explains deliveries whose answers came last, as far as there is room.
func (c *chooser) answeredLast(ctx context.Context) error {
	type answered struct {
		spot

		at time.Time
	}
	room := c.limit - len(c.out.Deliveries)
	var best []answered
	for i := range c.latest {
		w := &c.latest[i]
		if room == 0 || len(best) == room && !w.at.After(best[room-1].at) {
			break
		}
		ref := push.ChunkRef{Notification: c.n.ID, Seq: w.seq}
		line, ok, err := c.lineOf(ctx, ref)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := c.attempts(ctx, ref); err != nil {
			return err
		}
		for cell := range line.Cells {
			d := Traced{Delivery: Delivery{Code: line.Cells[cell].Code(), Attempts: c.history.Cells[cell]}}
			at, why := d.decided()
			if !asked(d.Code) || why != byAnswer {
				continue
			}
			to, _ := slices.BinarySearchFunc(best, at, func(b answered, t time.Time) int { return t.Compare(b.at) })
			best = slices.Insert(best, to, answered{spot{seq: w.seq, cell: cell}, at})
			best = best[:min(len(best), room)]
		}
	}
	if len(best) > 0 && len(best) == room && c.beyond.After(best[room-1].at) || len(best) < room && !c.beyond.IsZero() {
		c.note(fmt.Sprintf("slower ones may be in chunks that were written before these: the evidence of %d is read at most", mostRead))
	}
	spots := make([]spot, len(best))
	for i := range best {
		spots[i] = best[i].spot
	}
	return c.explainAll(ctx, spots)
}

func (c *chooser) lineOf(ctx context.Context, ref push.ChunkRef) (ledger.Line, bool, error) {
	lines, err := c.cfg.Chunks.Lines(ctx, ref.Notification, ref.Seq, 1)
	if err != nil {
		return ledger.Line{}, false, fmt.Errorf("read line %s: %w", ref, err)
	}
	if len(lines) == 0 || lines[0].Ref != ref {
		return ledger.Line{}, false, nil // it is gone by now
	}
	return lines[0], true, nil
}

// explainAll explains the deliveries at the given spots, in their order.
func (c *chooser) explainAll(ctx context.Context, spots []spot) error {
	for _, p := range spots {
		line, ok, err := c.lineOf(ctx, push.ChunkRef{Notification: c.n.ID, Seq: p.seq})
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		plans, err := c.plans(ctx, []ledger.Line{line})
		if err != nil {
			return err
		}
		if err := c.explain(ctx, &line, plans[p.seq], []int{p.cell}); err != nil {
			return err
		}
	}
	return nil
}
