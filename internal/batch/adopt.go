package batch

import (
	"cmp"
	"maps"
	"slices"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// pass accounts for a line of the stream that is durable already.
func (u *upload) pass(in lines) {
	if u.covered(u.next - 1) {
		u.passRead(u.decode(in))
		return
	}
	u.skip(1)
}

// passRead is pass for a line that was decoded.
func (u *upload) passRead(r *push.Recipient, f *push.Fault) {
	u.skip(1)
	if number := u.next - 1; u.covered(number) {
		u.compare(number, r, f)
	}
}

// trim takes the lines up to the watermark out of a draft: another upload has
// made them durable.
func (u *upload) trim(d *draft, w int64) {
	last := min(w, d.Last)
	u.skip(last - d.First + 1)
	rs, refused := d.Recipients, d.Refused
	for number := d.First; number <= last; number++ {
		var r *push.Recipient
		var f *push.Fault
		if len(rs) > 0 && rs[0].Line == number {
			r, rs = &rs[0], rs[1:]
		}
		if len(refused) > 0 && refused[0].Line == number {
			f, refused = &refused[0].Fault, refused[1:]
		}
		if u.covered(number) {
			u.compare(number, r, f)
		}
	}
	d.First, d.Recipients, d.Refused = last+1, rs, refused
}

func (u *upload) skip(lines int64) {
	u.res.Skipped += lines
	u.cfg.Metrics.skipped.Add(float64(lines))
}

// covered reports whether the line is in the page that another upload has stored here.
func (u *upload) covered(number int64) bool {
	return u.adopted != nil && u.adopted.First <= number && number <= u.adopted.Last
}

// compare reports a line that an earlier, broken-off upload has stored with other
// content. The caller was never told that the line is durable, and may have changed it
// since. The stored line stays, so the difference has to be reported.
func (u *upload) compare(number int64, r *push.Recipient, f *push.Fault) {
	p := u.adopted
	i, good := slices.BinarySearchFunc(p.Recipients, number, func(r push.Recipient, n int64) int { return cmp.Compare(r.Line, n) })
	_, bad := slices.BinarySearchFunc(p.Refused, number, func(l wire.RefusedLine, n int64) int { return cmp.Compare(l.Line, n) })
	if good == (r != nil) && bad == (f != nil) && (r == nil || same(r, &p.Recipients[i])) {
		return
	}
	u.res.fault(number, push.Fault{
		Code:   push.FaultConflict,
		Detail: "an upload that broke off had stored this line with other content, which is kept",
	})
}

func same(a, b *push.Recipient) bool {
	return a.Address == b.Address && a.UserID == b.UserID && a.DeviceID == b.DeviceID &&
		a.Locale == b.Locale && a.CollapseID == b.CollapseID && a.Override.Equal(b.Override) && maps.Equal(a.Data, b.Data)
}
