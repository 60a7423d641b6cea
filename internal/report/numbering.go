package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// planned is a chunk's plan and where the chunk after it begins.
type planned struct {
	ledger.Plan

	// nextLine is the first line of the next chunk, if the next chunk begins with a new
	// source and not with another device of this chunk's last user; otherwise 0.
	nextLine int64
}

// plans reads the plans of lines, by sequence, and one more for its first line.
func (s *scan) plans(ctx context.Context, lines []ledger.Line) (map[int]*planned, error) {
	found, err := s.cfg.Chunks.Plans(ctx, s.n.ID, lines[0].Ref.Seq, len(lines)+1)
	if err != nil {
		return nil, fmt.Errorf("read plans: %w", err)
	}
	out := make(map[int]*planned, len(found))
	for i := range found {
		p := &planned{Plan: found[i]}
		if i+1 < len(found) && found[i+1].Sources == len(found[i+1].Hashes) {
			p.nextLine = found[i+1].FirstLine
		}
		out[p.Ref.Seq] = p
	}
	return out, nil
}

// numbering returns which upload line each row of a chunk was on.
//
// A plan keeps the first line only. The others follow one by one if every row has a source
// of its own and the next chunk begins right behind them, or the upload ends there, or no
// line of the upload was refused or blank. Otherwise the chunk's page is read and decoded,
// once per answer: about half a megabyte. If the page has expired, only the first row's
// line is known.
func (s *scan) numbering(ctx context.Context, p *planned) (func(i int) int64, error) {
	if p == nil || p.FirstLine == 0 || !s.n.ID.IsBatch() {
		return func(int) int64 { return 0 }, nil
	}
	if behind := p.FirstLine + int64(len(p.Hashes)); p.Sources == len(p.Hashes) {
		progress := &s.n.Progress
		if p.nextLine == behind || progress.Watermark == behind-1 || progress.Watermark == progress.Sources {
			return func(i int) int64 { return p.FirstLine + int64(i) }, nil
		}
	}
	pg, err := s.page(ctx, p.Ref.Page())
	if err != nil {
		return nil, err
	}
	if rows := pg.rows(&p.Plan); rows != nil {
		return func(i int) int64 { return rows[i].Line }, nil
	}
	return func(i int) int64 {
		if i == 0 {
			return p.FirstLine
		}
		return 0
	}, nil
}

// page is a decoded page of recipients; empty if there is none any more.
type page struct{ recipients []push.Recipient }

// page returns the recipients that a page's chunks were cut from: as resolved or, if there
// was nothing to resolve, as uploaded.
func (s *scan) page(ctx context.Context, n int) (*page, error) {
	if pg, ok := s.pages[n]; ok {
		return pg, nil
	}
	pg := &page{}
	for _, kind := range []push.PageKind{push.PagePlan, push.PageUpload} {
		data, err := s.cfg.Pages.Page(ctx, s.n.ID, kind, n)
		if errors.Is(err, push.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s page %d: %w", kind, n, err)
		}
		if pg.recipients, err = wire.DecodeRecipients(data); err != nil {
			return nil, fmt.Errorf("read %s page %d: %w", kind, n, err)
		}
		break
	}
	s.pages[n] = pg
	return pg, nil
}

// rows returns the recipients of the page that are the plan's, recognised by their first
// line and all hashes; nil if they are not there.
func (pg *page) rows(p *ledger.Plan) []push.Recipient {
	for at := range pg.recipients {
		if pg.recipients[at].Line != p.FirstLine || at+len(p.Hashes) > len(pg.recipients) {
			continue
		}
		if rows := pg.recipients[at : at+len(p.Hashes)]; match(rows, p.Hashes) {
			return rows
		}
	}
	return nil
}

func match(rows []push.Recipient, hashes []uint64) bool {
	for i := range rows {
		var h uint64
		if a := rows[i].Address; !a.IsZero() {
			h = a.Hash()
		}
		if h != hashes[i] {
			return false
		}
	}
	return true
}
