package wire_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// fullChunk is what travels most: some 350 tokens of today's length.
func fullChunk(n int) *push.Chunk {
	c := &push.Chunk{
		Ref:    push.ChunkRef{Notification: "bat_01890a5d-ac96-774b-bcce-b302099a8057", Seq: 4097},
		Tenant: "acme", Attempt: 1,
	}
	for i := range n {
		token := fmt.Sprintf("%022d:APA91b%s", i, strings.Repeat("x-Y_z0", 23))[:163]
		c.Recipients = append(c.Recipients, push.Recipient{
			Address: push.Address{Kind: push.KindToken, Value: push.Token(token)}, Line: int64(i) + 1_000_000,
		})
		c.Index = append(c.Index, i)
	}
	return c
}

const benchRows = 350

func BenchmarkEncodeChunk(b *testing.B) {
	c := fullChunk(benchRows)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.EncodeChunk(c, ""); err != nil {
			b.Fatal(err)
		}
	}
	perRecipient(b)
}

func BenchmarkDecodeChunk(b *testing.B) {
	body, err := wire.EncodeChunk(fullChunk(benchRows), "")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := wire.DecodeChunk(body); err != nil {
			b.Fatal(err)
		}
	}
	perRecipient(b)
}

func perRecipient(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/recipient")
}
