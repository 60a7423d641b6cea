package ledger

import (
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Whatever changes a cell raises the revision, a replay's reopening too.
func TestRevision(t *testing.T) {
	t.Parallel()
	l := planned(0, 0, CellOf(push.CodeAttemptsExhausted, false), CellOf(push.CodeAttemptsExhausted, false))
	last := int64(-1)
	step := func(what string, next Line) {
		t.Helper()
		c := next.Tally()
		if c.Revision() <= last {
			t.Errorf("%s: revision %d follows %d", what, c.Revision(), last)
		}
		l, last = next, c.Revision()
	}
	step("planned", l)
	claimed, err := l.Claim("owner", 0, start())
	if err != nil {
		t.Fatal(err)
	}
	step("claimed", claimed)
	l.MarkAmbiguous(0)
	step("flagged", l)
	l.Settle(0, push.CodeSent, false)
	step("settled", l)
	l.Settle(1, push.CodeExpired, false)
	step("settled another", l)
	closed := l.Close(start())
	reopened, _, err := closed.Reopen([]int{2, 3}, push.NewID(push.PrefixReplay), start().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	step("reopened", reopened)
}
