package batch

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// catchUpTimeout bounds reading the stored pages of a batch that this process does not
// know: ten million lines are 3,600 pages of some milliseconds each.
const catchUpTimeout = 5 * time.Minute

// catchUp brings the batch's index in step with the announced pages, which
// another process, or this one before its restart, may have written. After an error it
// keeps what it has read.
func (u *upload) catchUp(ctx context.Context) error {
	if u.seen == nil {
		u.seen = u.indexes.use(u.n.ID)
	}
	u.seen.Lock()
	defer u.seen.Unlock()
	if u.seen.pages >= u.n.Progress.Pages {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catchUpTimeout)
	defer cancel()
	for u.seen.pages < u.n.Progress.Pages {
		data, err := u.cfg.Pages.Page(ctx, u.n.ID, push.PageUpload, u.seen.pages)
		if err != nil {
			return fmt.Errorf("look for duplicates: read page %d of %s: %w", u.seen.pages, u.n.ID, err)
		}
		rs, err := wire.DecodeRecipients(data)
		if err != nil {
			return fmt.Errorf("look for duplicates: page %d of %s: %w", u.seen.pages, u.n.ID, err)
		}
		u.indexes.learn(u.seen, rs)
		u.cfg.Metrics.reread.Inc()
	}
	return nil
}

// mark notes on every recipient of the drafts which earlier line it repeats. The marks
// depend on the pages before them only, and those never change: so a draft that is stored
// in its place has the right marks. If another writer's page comes before it, it is marked
// again.
//
// The index may be ahead, because another upload has announced pages; then the drafts'
// place is taken, and their marks do not matter.
func (u *upload) mark(drafts []*draft) {
	u.seen.Lock()
	defer u.seen.Unlock()
	fresh := make(map[uint64]int64)
	for _, d := range drafts {
		d.duplicates = 0
		for i := range d.Recipients {
			r := &d.Recipients[i]
			hash := u.indexes.hash(r)
			first, ok := u.seen.index.find(hash)
			if !ok || first >= r.Line {
				first, ok = fresh[hash]
			}
			if !ok {
				fresh[hash] = r.Line
			}
			if r.DuplicateOf = first; ok {
				d.duplicates++
			}
		}
	}
	u.gap = u.seen.gap
}

// learn adds the announced page n to the index, unless another upload has done so.
func (u *upload) learn(n int, page *wire.UploadPage) {
	u.seen.Lock()
	defer u.seen.Unlock()
	if u.seen.pages == n {
		u.indexes.learn(u.seen, page.Recipients)
	}
}

// forget ends the upload's use of the index.
func (u *upload) forget() {
	if u.seen != nil {
		u.indexes.release(u.seen)
	}
}

// duplicates counts the marked recipients.
func duplicates(rs []push.Recipient) int64 {
	n := int64(0)
	for i := range rs {
		if rs[i].DuplicateOf > 0 {
			n++
		}
	}
	return n
}
