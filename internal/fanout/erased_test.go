package fanout_test

import (
	"context"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// erasures is a list of who is erased, by user or address.
type erasures map[string]bool

func (e erasures) Current(context.Context) error { return nil }

func (e erasures) Erased(_ string, r *push.Recipient, _ time.Time) bool {
	return r.Erased() || e[r.UserID] || e[r.Address.Value.Reveal()]
}

// TestErasedIsPlannedAsSuch: with an outcome and without a hash, so that no queue message and no
// plan has the address.
func TestErasedIsPlannedAsSuch(t *testing.T) {
	t.Parallel()
	r := setup(t)
	r.erased = erasures{"t2": true, "alice": true}
	r.restart(t)
	marked := push.Recipient{Address: token("t4")}
	marked.Erase("prv_01890a5d-ac96-774b-bcce-b302099a8057")
	n := r.accept(push.Target{Tokens: []push.Token{"t1", "t2", marked.Address.Value}})
	r.run(t, n.ID)
	line, plan := r.line(push.ChunkRef{Notification: n.ID}), r.plans()[push.ChunkRef{Notification: n.ID}]
	for cell, want := range []push.Code{push.CodeOpen, push.CodeUserErased, push.CodeUserErased} {
		if got := line.Cells[cell].Code(); got != want || (plan.Hashes[cell] == 0) != (want != push.CodeOpen) {
			t.Errorf("cell %d: %s, hash %x", cell, got, plan.Hashes[cell])
		}
	}
	if got := chunks(r.high); len(got) != 1 || len(got[0].Recipients) != 1 || got[0].Recipients[0].Address != token("t1") {
		t.Errorf("queued: %+v", got)
	}

	r = setup(t)
	r.erased = erasures{"alice": true}
	r.restart(t)
	n = r.accept(push.Target{UserIDs: []string{"alice", "nobody"}})
	r.run(t, n.ID)
	line = r.line(push.ChunkRef{Notification: n.ID})
	if line.Cells[0].Code() != push.CodeUserErased || line.Cells[1].Code() != push.CodeNoDevice {
		t.Errorf("users: %v", line.Cells)
	}
}
