package fanout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// TestPlansOf: a plan is made of nothing but the chunks and what is stored of them.
func TestPlansOf(t *testing.T) {
	t.Parallel()
	const open, twice, none = push.CodeOpen, push.CodeDuplicate, push.CodeNoDevice
	row := func(line int64, value string) push.Recipient {
		r := push.Recipient{Line: line}
		if value != "" {
			r.Address = push.Address{Kind: push.KindToken, Value: push.Token(value)}
		}
		return r
	}
	marked := row(7, "f")
	marked.DuplicateOf = 1
	n := &push.Notification{ID: "bat_1", Tenant: "acme"}
	ref := func(seq int) push.ChunkRef { return push.ChunkRef{Notification: n.ID, Seq: seq} }
	chunks := []push.Chunk{
		{Ref: ref(0), Recipients: []push.Recipient{row(1, "a"), row(2, "b"), row(2, "c")}},
		{Ref: ref(1), Recipients: []push.Recipient{row(2, "d"), row(3, ""), row(4, "a"), row(5, "e")}},
		{Ref: ref(2), Recipients: []push.Recipient{row(6, "e"), marked, row(8, "f")}},
	}
	type plan struct {
		Seq, Sources int
		First        int64
		Last         bool
		Codes        []push.Code
	}
	all := []plan{
		{0, 2, 1, false, []push.Code{open, open, open}},
		{1, 3, 2, false, []push.Code{open, none, twice, open}}, // the first row's source began in the chunk before
		{2, 3, 6, true, []push.Code{twice, twice, open}},
	}
	for stored := range len(chunks) + 1 {
		lines := make([]ledger.Line, stored)
		var got []plan
		for _, p := range plansOf(n, chunks, lines) {
			g := plan{Seq: p.Ref.Seq, Sources: p.Sources, First: p.FirstLine, Last: p.Last}
			for i, c := range p.Cells {
				g.Codes = append(g.Codes, c.Code())
				if r := chunks[p.Ref.Seq].Recipients[i]; (p.Hashes[i] == 0) != r.Address.IsZero() {
					t.Errorf("chunk %d: the hash of row %d is %d", p.Ref.Seq, i, p.Hashes[i])
				}
			}
			got = append(got, g)
		}
		if diff := cmp.Diff(all[stored:], append([]plan{}, got...)); diff != "" {
			t.Errorf("%d chunks are stored (-want +got):\n%s", stored, diff)
		}
	}
	p := ledger.NewLine(plansOf(n, chunks, nil)[1], time.Now())
	end := ledger.Plan{Cells: p.Cells}
	endPlan(&end, push.CodeCancelled)
	if end.Cells[0].Code() != push.CodeCancelled || end.Cells[1].Code() != none || end.Cells[3].Code() != push.CodeCancelled {
		t.Errorf("cancelled: %v", end.Cells)
	}
}
