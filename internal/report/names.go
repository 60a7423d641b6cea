package report

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// Who a delivery is for, beyond its address, is known where users or devices were looked up:
// the page that was resolved has it, as long as that is kept.

// resolved returns the recipients of a page as they were looked up, none if there was
// nothing to look up or the page is not kept any more.
func (s *scan) resolved(ctx context.Context, n int) (*page, error) {
	pg, err := s.names.of(s.n.ID, n, func() (*page, error) {
		data, err := s.cfg.Pages.Page(ctx, s.n.ID, push.PagePlan, n)
		if errors.Is(err, push.ErrNotFound) {
			return &page{}, nil
		}
		if err != nil {
			return nil, err
		}
		recipients, err := wire.DecodeRecipients(data)
		return &page{recipients}, err
	})
	if err != nil {
		return nil, fmt.Errorf("read plan page %d: %w", n, err)
	}
	return pg, nil
}

// name sets whose the deliveries of a chunk are, where that is known.
func (s *scan) name(ctx context.Context, p *planned, deliveries []Delivery) error {
	if p == nil || len(deliveries) == 0 || !s.n.ID.IsBatch() && len(s.n.Target.UserIDs)+len(s.n.Target.DeviceIDs) == 0 {
		return nil // a batch may have any kind of recipient
	}
	pg, err := s.resolved(ctx, p.Ref.Page())
	if err != nil {
		return err
	}
	rows := pg.rows(&p.Plan)
	for i := range deliveries {
		if d := &deliveries[i]; d.Index < len(rows) {
			d.DeviceID, d.UserID = rows[d.Index].DeviceID, rows[d.Index].UserID
		}
	}
	return nil
}

// pageCache keeps the pages that were read last: the pages of a listing have fewer rows than
// a page of recipients, so that each would be read several times. Whoever asks for a page has
// seen a plan of it, so the page has been there, and pages never change. Safe for concurrent
// use.
type pageCache struct {
	mu   sync.Mutex
	kept map[pageRef]*page
	last []pageRef // in the order in which they were read
}

type pageRef struct {
	id push.ID
	n  int
}

// mostPages bounds what is kept: a page has at most half a megabyte, and its rows a few
// times as much.
const mostPages = 4

// of returns a page, which read reads unless it is kept.
func (c *pageCache) of(id push.ID, n int, read func() (*page, error)) (*page, error) {
	ref := pageRef{id, n}
	c.mu.Lock()
	pg, ok := c.kept[ref]
	c.mu.Unlock()
	if ok {
		return pg, nil
	}
	pg, err := read()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.kept[ref]; ok {
		return pg, nil
	}
	if c.kept == nil {
		c.kept = map[pageRef]*page{}
	}
	if len(c.last) == mostPages {
		delete(c.kept, c.last[0])
		c.last = c.last[1:]
	}
	c.kept[ref] = pg
	c.last = append(c.last, ref)
	return pg, nil
}

// upload returns the page of an upload that covers a line, by O(log pages) reads; nil if it
// is not kept any more.
func (t *tracer) upload(ctx context.Context, line int64) (*wire.UploadPage, error) {
	low, high := 0, t.n.Progress.Pages
	for low < high {
		at := int(uint(low+high) >> 1)
		data, err := t.cfg.Pages.Page(ctx, t.n.ID, push.PageUpload, at)
		if errors.Is(err, push.ErrNotFound) {
			return nil, nil //nolint:nilnil // it has expired, as have all others
		}
		if err != nil {
			return nil, fmt.Errorf("read upload page %d: %w", at, err)
		}
		p, err := wire.DecodeUploadPage(data)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read upload page %d: %w", at, err)
		case line < p.First:
			high = at
		case line > p.Last:
			low = at + 1
		default:
			return &p, nil
		}
	}
	return nil, nil //nolint:nilnil // there is none
}

// noDelivery says of an upload line that has no delivery why that is, if it is known.
func (t *tracer) noDelivery(ctx context.Context) error {
	p, line := &t.n.Progress, t.key.Line
	switch {
	case line > p.Watermark:
		t.why = fmt.Sprintf("line %d was not uploaded; the upload has %d lines so far", line, p.Watermark)
		return nil
	case p.Watermark == p.Sources:
		return nil // none was refused or blank
	}
	page, err := t.upload(ctx, line)
	if err != nil || page == nil {
		return err
	}
	for _, r := range page.Refused {
		if r.Line == line {
			t.out.Refused = new(Invalid(r))
			return nil
		}
	}
	for i := range page.Recipients {
		if page.Recipients[i].Line == line {
			return nil
		}
	}
	t.why = fmt.Sprintf("line %d of the upload is blank", line)
	return nil
}
