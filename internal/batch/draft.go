package batch

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
	"github.com/belfry-push/belfry/internal/wire"
)

// draft is a page that is not durable yet.
type draft struct {
	wire.UploadPage

	begun time.Time // when its first line came
	bytes int       // about what it takes, encoded or in memory

	duplicates int64 // recipients marked as repeating an earlier line
}

func newDraft(first int64, now time.Time) *draft {
	return &draft{UploadPage: wire.UploadPage{First: first, Last: first - 1}, begun: now}
}

// full reports whether a line no longer fits.
func (d *draft) full(cfg *Config, most int, r *push.Recipient, f *push.Fault) bool {
	return len(d.Recipients)+len(d.Refused) >= most || d.bytes+weight(r, f) > cfg.PageBytes
}

// add appends a line: a recipient, a fault, or neither for a blank one.
func (d *draft) add(number int64, r *push.Recipient, f *push.Fault) {
	d.Last = number
	d.bytes += weight(r, f)
	switch {
	case f != nil:
		d.Refused = append(d.Refused, wire.RefusedLine{Line: number, Fault: *f})
	case r != nil:
		r.Line = number
		d.Recipients = append(d.Recipients, *r)
	}
}

func weight(r *push.Recipient, f *push.Fault) int {
	const names = 64 // {"line":…,"pointer":…} and its like
	switch {
	case f != nil:
		return names + len(f.Pointer) + len(f.Code) + len(f.Detail)
	case r != nil:
		return wire.RecipientBytes(r)
	default:
		return 0
	}
}

// shift moves the page by a number of lines, because others were faster.
func (d *draft) shift(by int64) {
	d.First, d.Last = d.First+by, d.Last+by
	for i := range d.Recipients {
		d.Recipients[i].Line += by
	}
	for i := range d.Refused {
		d.Refused[i].Line += by
	}
}

// clip bounds what a refused line leaves in a page: a pointer repeats names that the
// caller chose.
func clip(s string) string {
	const most = 300
	return strict.Clip(s, most)
}
