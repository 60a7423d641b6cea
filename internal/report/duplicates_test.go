package report_test

import (
	"slices"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// A duplicate says which line it repeats: the one that the upload marked, or the
// one on this page that resolved to the same address.
func TestDeliveriesDuplicates(t *testing.T) {
	t.Parallel()
	w := open()
	rs := rows(11, 12, 13, 14)
	rs[1].DuplicateOf = 3
	rs[3].Address = rs[0].Address
	w.load(push.PageUpload, rs, 2)
	w.advance(func(p *push.Progress) { p.Watermark = 14 })
	w.settle(0, 1, push.CodeDuplicate)
	w.settle(1, 1, push.CodeDuplicate)
	all, _, err := w.reader().Deliveries(t.Context(), tenant, w.id, report.Filter{}, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for i := range all {
		got = append(got, all[i].DuplicateOf)
	}
	if !slices.Equal(got, []int64{0, 3, 0, 11}) || w.reads.Load() > 3 {
		t.Errorf("duplicates of %v after %d page reads", got, w.reads.Load())
	}
	if err = w.pages.DeletePages(t.Context(), w.id); err != nil {
		t.Fatal(err)
	}
	if all, _, err = w.reader().Deliveries(t.Context(), tenant, w.id, report.Filter{}, "", 0); err != nil || all[1].DuplicateOf != 0 {
		t.Errorf("without the page: %+v, %v", all[1], err)
	}
}
