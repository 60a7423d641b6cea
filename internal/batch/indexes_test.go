package batch

import (
	"testing"
	"unsafe"

	"github.com/belfry-push/belfry/internal/push"
)

// A process that sees batches of a recipient or two all its life does not grow
// beyond the budget: what an index takes while it is empty counts.
func TestManySmallIndexes(t *testing.T) {
	t.Parallel()
	const most = 64 << 10
	x := newIndexes(most)
	for range 1000 {
		m := x.use(push.NewID(push.PrefixBatch))
		x.learn(m, []push.Recipient{{UserID: "ada", Line: 1}})
		x.release(m)
	}
	if size := int(unsafe.Sizeof(remembered{})); size > emptyBytes || len(x.byID)*size > most || x.used > most {
		t.Errorf("%d indexes of %d bytes at least, %d bytes are accounted for, want at most %d", len(x.byID), size, x.used, most)
	}
}

// What takes no recipients any more is not remembered, unless an upload has yet
// to learn so.
func TestIndexIsOver(t *testing.T) {
	t.Parallel()
	x := newIndexes(1 << 20)
	id := push.NewID(push.PrefixBatch)
	m := x.use(id)
	x.over(id)
	if len(x.byID) != 1 {
		t.Error("an index in use was dropped")
	}
	x.release(m)
	x.over(id)
	x.over(id)
	if len(x.byID) != 0 || x.used != 0 {
		t.Errorf("%d indexes and %d bytes are left", len(x.byID), x.used)
	}
}
