package fanout_test

import (
	"testing"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// TestMarkedDuplicates: what the upload has marked as repeating an earlier line,
// on whichever page that is, is settled as planned, not looked up and not sent;
// what it could not see, a user and a token that are one device, within a page.
func TestMarkedDuplicates(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.device("d1", "ann", "hers", t0)
	r.device("d2", "ann", "hers too", t0)
	first := []push.Recipient{
		{UserID: "ann", Line: 1},
		{Address: token("a"), Line: 2},
		{UserID: "ann", Line: 3, DuplicateOf: 1},
		{Address: token("hers"), Line: 4},
	}
	second := []push.Recipient{
		{Address: token("a"), Line: 5, DuplicateOf: 2},
		{Address: token("b"), Line: 6},
		{UserID: "ann", Line: 7, DuplicateOf: 1},
	}
	n := r.batch(t, first, second)
	r.run(t, n.ID)
	counts, err := r.ledger.Counts(t.Context(), n.ID)
	if err != nil || counts.ByCode[push.CodeDuplicate] != 4 || counts.ByCode[push.CodeOpen] != 4 || counts.Sources != 7 {
		t.Errorf("%d duplicates, %d open, %d sources, %v", counts.ByCode[push.CodeDuplicate], counts.ByCode[push.CodeOpen], counts.Sources, err)
	}
	sent := map[push.Address]int64{}
	for _, c := range chunks(r.bulk) {
		for _, rcp := range c.Recipients {
			sent[rcp.Address] = rcp.Line
		}
	}
	if len(sent) != 4 || sent[token("hers")] != 1 || sent[token("a")] != 2 || sent[token("b")] != 6 {
		t.Errorf("sent %v", sent)
	}
	line := r.line(push.ChunkRef{Notification: n.ID, Seq: push.ChunksPerPage})
	if len(line.Cells) != 3 || line.Cells[2] != ledger.CellOf(push.CodeDuplicate, false) {
		t.Errorf("the second page's cells are %v: a repeated user has one", line.Cells)
	}
}
