package report

import (
	"context"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// originals returns which upload line each duplicate of a chunk repeats; 0 for every other
// row. The page has that, and is read only for chunks with duplicates, once per answer.
func (s *scan) originals(ctx context.Context, p *planned, line *ledger.Line, cells []int) (func(i int) int64, error) {
	none := func(int) int64 { return 0 }
	if p == nil || !s.n.ID.IsBatch() || !hasDuplicates(line, cells) {
		return none, nil
	}
	pg, err := s.page(ctx, p.Ref.Page())
	if err != nil {
		return nil, err
	}
	rows := pg.rows(&p.Plan)
	if rows == nil {
		return none, nil
	}
	return func(i int) int64 {
		if line.Cells[i].Code() != push.CodeDuplicate {
			return 0
		}
		return pg.original(&rows[i])
	}, nil
}

func hasDuplicates(line *ledger.Line, cells []int) bool {
	for _, i := range cells {
		if line.Cells[i].Code() == push.CodeDuplicate {
			return true
		}
	}
	return false
}

// original returns the line that a duplicate repeats: as the upload marked it,
// or that of the first row of the page which resolved to the same address.
func (pg *page) original(r *push.Recipient) int64 {
	if r.DuplicateOf > 0 {
		return r.DuplicateOf
	}
	for i := range pg.recipients {
		if first := &pg.recipients[i]; first.Address == r.Address && first.DuplicateOf == 0 {
			return first.Line
		}
	}
	return 0
}
