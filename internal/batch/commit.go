package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// commitTimeout bounds one commit. It is detached from the request, so that a
// caller who hangs up does not tear a page that is being stored.
const commitTimeout = 30 * time.Second

// commit makes drafts durable: pages first, then one conditional write that
// announces them all. Between the two they exist and do not count.
//
// Page n is put if absent, so two writers of page n agree on whose page it is: pages 0
// to n-1 never change, and decide at which line page n begins. A writer that finds another
// page stored announces that one, which helps a slow writer and replaces a dead one, and
// continues behind it.
func (u *upload) commit(ctx context.Context, drafts []*draft) error {
	if err := u.catchUp(ctx); err != nil { // the first time that may take longer
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	for {
		if drafts = u.place(drafts); len(drafts) == 0 {
			return nil
		}
		if !uploadable(&u.n.Progress) {
			return illegal(&u.n, u.n.Progress.State, opUpload)
		}
		if err := u.catchUp(ctx); err != nil {
			return err
		}
		u.mark(drafts)
		first := u.n.Progress.Pages
		undo, err := u.charge(ctx, drafts)
		if err != nil {
			return err
		}
		other, put, err := u.put(ctx, drafts)
		if err != nil {
			undo(0)
			return err
		}
		announced, err := u.announce(ctx, drafts[:put], other)
		undo(min(announced, put))
		if err != nil {
			return err
		}
		for i, d := range drafts[:min(announced, put)] {
			u.count(d)
			u.learn(first+i, &d.UploadPage)
		}
		if announced > put {
			u.learn(first+put, other)
			u.adopted = other
			u.cfg.Metrics.adopted.Inc()
		}
		drafts = drafts[min(announced, put):]
	}
}

// place moves drafts behind the watermark: an appended line takes the next number; a
// numbered line that is durable by now is skipped.
func (u *upload) place(drafts []*draft) []*draft {
	w := u.n.Progress.Watermark
	if len(drafts) == 0 {
		return nil
	}
	if u.appends {
		by := w + 1 - drafts[0].First
		for _, d := range drafts {
			d.shift(by)
		}
		return drafts
	}
	for len(drafts) > 0 && drafts[0].First <= w {
		u.trim(drafts[0], w)
		if drafts[0].First <= drafts[0].Last {
			break
		}
		drafts = drafts[1:]
	}
	return drafts
}

// put stores the drafts from the next page on. It returns how many are stored, and the
// other upload's page, if any, that was found in the place of the next one.
func (u *upload) put(ctx context.Context, drafts []*draft) (*wire.UploadPage, int, error) {
	p := u.n.Progress
	for i, d := range drafts {
		data, err := wire.EncodeUploadPage(&d.UploadPage)
		if err != nil {
			return nil, 0, err
		}
		stored, err := u.cfg.Pages.PutPage(ctx, u.n.ID, push.PageUpload, p.Pages+i, data)
		if err != nil {
			return nil, 0, fmt.Errorf("store page %d of %s: %w", p.Pages+i, u.n.ID, err)
		}
		if bytes.Equal(stored, data) {
			continue
		}
		other, err := wire.DecodeUploadPage(stored)
		if err == nil && other.First != d.First {
			err = fmt.Errorf("it begins at line %d, not at %d", other.First, d.First)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("page %d of %s is not ours: %w", p.Pages+i, u.n.ID, err)
		}
		return &other, i, nil
	}
	return nil, len(drafts), nil
}

// announce adds the stored pages to the notification's progress. It returns how
// many of them count now, other included: all, or as many as a concurrent
// upload has announced in the meantime.
func (u *upload) announce(ctx context.Context, drafts []*draft, other *wire.UploadPage) (int, error) {
	next := u.n.Progress
	next.Version++
	if next.UncheckedFrom == 0 {
		next.UncheckedFrom = u.gap
	}
	for _, d := range drafts {
		extend(&next, &d.UploadPage)
	}
	if other != nil {
		extend(&next, other)
	}
	pages := next.Pages - u.n.Progress.Pages
	err := u.cfg.Ledger.Advance(ctx, u.n.ID, next)
	if err == nil {
		u.n.Progress = next
		return pages, nil
	}
	if !errors.Is(err, push.ErrConflict) {
		return 0, fmt.Errorf("announce page %d of %s: %w", next.Pages-1, u.n.ID, err)
	}
	before := u.n.Progress.Pages
	if u.n, err = u.cfg.Ledger.Notification(ctx, u.n.ID); err != nil {
		return 0, fmt.Errorf("read after a conflict: %w", err)
	}
	return min(u.n.Progress.Pages-before, pages), nil
}

func extend(p *push.Progress, page *wire.UploadPage) {
	p.Pages++
	p.Watermark = page.Last
	p.Sources += int64(len(page.Recipients))
	p.Invalid += int64(len(page.Refused))
	p.Duplicates += duplicates(page.Recipients)
}

// count enters a durable draft into the result.
func (u *upload) count(d *draft) {
	good, bad := int64(len(d.Recipients)), int64(len(d.Refused))
	blank := d.Last - d.First + 1 - good - bad
	u.res.Accepted += good
	u.res.Invalid += bad
	u.res.Skipped += blank
	u.res.Duplicates += d.duplicates
	for _, l := range d.Refused {
		u.res.fault(l.Line, l.Fault)
	}
	m := u.cfg.Metrics
	m.accepted.Add(float64(good))
	m.refused.Add(float64(bad))
	m.skipped.Add(float64(blank))
	m.duplicates.Add(float64(d.duplicates))
	m.pages.Inc()
}
