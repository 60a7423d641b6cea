package wire_test

import (
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// TestTraceParentOf finds what every envelope begins with, and nothing in what others wrote.
func TestTraceParentOf(t *testing.T) {
	t.Parallel()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	id := push.NewID(push.PrefixNotification)
	chunk := push.Chunk{
		Ref: push.ChunkRef{Notification: id}, Tenant: "acme", Attempt: 1, Index: []int{0},
		Recipients: []push.Recipient{{Address: push.Address{Kind: push.KindToken, Value: "t"}}},
	}
	for _, want := range []string{trace, ""} {
		task, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: id, TraceParent: want})
		if err != nil {
			t.Fatal(err)
		}
		body, err := wire.EncodeChunk(&chunk, want)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{task, body} {
			if got := wire.TraceParentOf(b); got != want {
				t.Errorf("%q of %s", got, b)
			}
		}
	}
	for _, foreign := range []string{"", `{"traceparent":"x"}`, `{"v":1,"type":"task","traceparent":"`} {
		if got := wire.TraceParentOf([]byte(foreign)); got != "" {
			t.Errorf("%q of %s", got, foreign)
		}
	}
}
