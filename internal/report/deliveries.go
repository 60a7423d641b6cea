package report

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Delivery is one recipient's row.
type Delivery struct {
	Line              int64 // upload line, from 1; 0 for an inline target, or if it is not known any more
	Chunk             int   // sequence of its chunk
	Index             int   // its place in the chunk
	Code              push.Code
	PossibleDuplicate bool
	DuplicateOf       int64            // of code duplicate: the upload line with the same recipient; 0 if it is not known any more
	Hash              uint64           // push.Address.Hash; 0 where there was no address
	Attempts          []ledger.Attempt // the evidence, in order
	DeviceID          push.ID          // where devices were looked up, while the plan's page is kept; otherwise ""
	UserID            string           // likewise, of a recipient that was addressed by user
}

// Reason returns why Belfry decided the outcome without asking FCM, if there is more to say
// than the code; otherwise nil.
func (d *Delivery) Reason() *ledger.Attempt {
	for i := len(d.Attempts) - 1; i >= 0; i-- {
		if a := &d.Attempts[i]; a.Decided() && a.Code == d.Code {
			return a
		}
	}
	return nil
}

// Filter chooses rows. The zero Filter matches all of them, with attempts.
type Filter struct {
	Class    push.Class // if HasClass
	Code     push.Code  // if HasCode
	HasClass bool
	HasCode  bool
	Failed   bool // only what has an outcome other than sent
	// NoAttempts leaves the evidence out, which saves one read a chunk.
	NoAttempts bool
}

func (f *Filter) takes(c push.Code) bool {
	return (!f.HasClass || c.Class() == f.Class) && (!f.HasCode || c == f.Code) &&
		(!f.Failed || c.Terminal() && c.Class() != push.ClassSent)
}

// How many lines are read at once, and at most for one answer: 2,000 lines are
// up to a million recipients. A rare class in a large batch then takes a few
// calls, of which some may come back without rows and with a cursor.
const (
	filteredLines = 100
	maxLines      = 2000
)

// Deliveries returns up to limit (1..1000; 0 means 100) rows of a notification
// in the order of its plan, and the cursor of the next ones, "" at the end.
// Sources that are not planned yet have no rows. A page may have fewer rows
// than asked for, also none, and still be followed by others. Errors are
// push.ErrNotFound and push.ErrCursor.
//
// It reads lines in batches, and for chunks with matching rows their plans and, unless the
// filter says otherwise, their attempts, and the pages that say whose they are, each once for
// several answers (see pageCache). An upload page is read only if the plans do not show which
// line a row was on (see numbering).
func (r *Reader) Deliveries(ctx context.Context, tenant string, id push.ID, f Filter, cursor string,
	limit int,
) ([]Delivery, string, error) {
	from, err := parseCursor(cursor)
	if err != nil {
		return nil, "", fmt.Errorf("list deliveries: %w", err)
	}
	n, err := r.owned(ctx, tenant, id)
	if err != nil {
		return nil, "", err
	}
	s := scan{Reader: r, n: &n, filter: f, limit: within(limit), next: from, pages: map[int]*page{}}
	if err := s.run(ctx); err != nil {
		return nil, "", fmt.Errorf("list deliveries of %s: %w", id, err)
	}
	if s.ended {
		return s.rows, "", nil
	}
	return s.rows, s.next.cursor(), nil
}

// scan is one listing under way.
type scan struct {
	*Reader

	n      *push.Notification
	filter Filter
	limit  int
	rows   []Delivery
	next   position
	ended  bool
	pages  map[int]*page

	history ledger.History // of the chunk that was added last
}

func (s *scan) run(ctx context.Context) error {
	size := 1 + s.limit/push.MaxChunkRecipients
	if s.filter.HasClass || s.filter.HasCode || s.filter.Failed {
		size = filteredLines
	}
	for read := 0; read < maxLines; read += size {
		lines, err := s.cfg.Chunks.Lines(ctx, s.n.ID, s.next.seq, size)
		if err != nil {
			return fmt.Errorf("read lines: %w", err)
		}
		full, err := s.take(ctx, lines)
		if err != nil || full {
			return err
		}
		if len(lines) < size {
			s.ended = true
			return nil
		}
	}
	return nil
}

// take adds the matching rows of lines, and reports whether the page is full.
func (s *scan) take(ctx context.Context, lines []ledger.Line) (bool, error) {
	var plans map[int]*planned
	for i := range lines {
		line := &lines[i]
		seq := line.Ref.Seq
		if s.next.seq != seq { // the cursor's own chunk is gone, or this is the next one
			s.next = position{seq: seq}
		}
		cells := s.matching(line)
		now := cells[:min(len(cells), s.limit-len(s.rows))]
		if len(now) > 0 && plans == nil {
			var err error
			if plans, err = s.plans(ctx, lines[i:]); err != nil {
				return false, err
			}
		}
		if err := s.add(ctx, line, plans[seq], now); err != nil {
			return false, err
		}
		if len(now) < len(cells) {
			s.next.index = cells[len(now)]
			return true, nil
		}
		s.next = position{seq: seq + 1}
	}
	return false, nil
}

// matching returns the cells of a line, from the cursor on, that match the filter.
func (s *scan) matching(line *ledger.Line) []int {
	var cells []int
	for i := s.next.index; i < len(line.Cells); i++ {
		if s.filter.takes(line.Cells[i].Code()) {
			cells = append(cells, i)
		}
	}
	return cells
}

func (s *scan) add(ctx context.Context, line *ledger.Line, p *planned, cells []int) error {
	if len(cells) == 0 {
		return nil
	}
	number, err := s.numbering(ctx, p)
	if err != nil {
		return err
	}
	if err := s.attempts(ctx, line.Ref); err != nil {
		return err
	}
	original, err := s.originals(ctx, p, line, cells)
	if err != nil {
		return err
	}
	before := len(s.rows)
	for _, i := range cells {
		d := Delivery{
			Line: number(i), Chunk: line.Ref.Seq, Index: i,
			Code: line.Cells[i].Code(), PossibleDuplicate: line.Cells[i].PossibleDuplicate(), Attempts: s.history.Cells[i],
			DuplicateOf: original(i),
		}
		if p != nil && i < len(p.Hashes) {
			d.Hash = p.Hashes[i]
		}
		s.rows = append(s.rows, d)
	}
	return s.name(ctx, p, s.rows[before:])
}

// attempts reads a chunk's evidence.
func (s *scan) attempts(ctx context.Context, ref push.ChunkRef) error {
	if s.filter.NoAttempts {
		return nil
	}
	all, err := s.cfg.Chunks.Attempts(ctx, ref)
	if err != nil {
		return fmt.Errorf("read the attempts of %s: %w", ref, err)
	}
	s.history = ledger.Split(all)
	return nil
}
