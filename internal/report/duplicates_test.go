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
	h := open()
	rs := rows(11, 12, 13, 14)
	rs[1].DuplicateOf = 3
	rs[3].Address = rs[0].Address
	h.load(push.PageUpload, rs, 2)
	h.n.Progress.Watermark = 14
	h.line[0].Settle(1, push.CodeDuplicate, false)
	h.line[1].Settle(1, push.CodeDuplicate, false)
	all, _, err := h.reader().Deliveries(t.Context(), tenant, h.n.ID, report.Filter{}, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for i := range all {
		got = append(got, all[i].DuplicateOf)
	}
	if !slices.Equal(got, []int64{0, 3, 0, 11}) || h.reads > 2 {
		t.Errorf("duplicates of %v after %d page reads", got, h.reads)
	}
	clear(h.page)
	if all, _, err = h.reader().Deliveries(t.Context(), tenant, h.n.ID, report.Filter{}, "", 0); err != nil || all[1].DuplicateOf != 0 {
		t.Errorf("without the page: %+v, %v", all[1], err)
	}
}
