package wire_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/wire"
)

// drawRecipient makes any recipient that can stand in a plan.
func drawRecipient(t *rapid.T) push.Recipient {
	line := rapid.Int64Range(1, 1<<40)
	switch rapid.IntRange(0, 9).Draw(t, "shape") {
	case 0:
		return push.Recipient{UserID: rapid.StringN(1, -1, 256).Draw(t, "user"), Line: line.Draw(t, "line"), DuplicateOf: line.Draw(t, "first")}
	case 1:
		return push.Recipient{DeviceID: push.ID(rapid.StringMatching(`[a-zA-Z0-9._:-]{1,64}`).Draw(t, "device")), Line: line.Draw(t, "line")}
	case 2, 3:
		return push.Recipient{
			Address: drawAddress(t), Line: line.Draw(t, "line"),
			UserID:     rapid.StringN(0, 64, 256).Draw(t, "user"),
			DeviceID:   push.ID(rapid.StringMatching(`[a-zA-Z0-9._:-]{0,64}`).Draw(t, "device")),
			Data:       rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "data"),
			Locale:     rapid.StringN(0, 8, 35).Draw(t, "locale"),
			CollapseID: rapid.StringN(0, 16, request.MaxCollapseID).Draw(t, "collapse id"),
			Renew:      rapid.Bool().Draw(t, "renew"),
			Unknown:    rapid.Bool().Draw(t, "unknown"),
			Override:   drawOverride(t),
		}
	default:
		return push.Recipient{
			Address: drawAddress(t), Line: line.Draw(t, "line"), Renew: rapid.Bool().Draw(t, "renew"), Unknown: rapid.Bool().Draw(t, "unknown"),
		}
	}
}

func drawOverride(t *rapid.T) message.Override {
	o := message.Override{
		Title: rapid.StringN(0, 64, 256).Draw(t, "title"), Body: rapid.String().Draw(t, "body"), Image: rapid.String().Draw(t, "image"),
		LiveActivityToken: rapid.String().Draw(t, "live activity"),
	}
	if rapid.Bool().Draw(t, "badge") {
		o.Badge = new(rapid.Int32Min(0).Draw(t, "number"))
	}
	return o
}

func drawAddress(t *rapid.T) push.Address {
	kinds := []push.Kind{push.KindToken, push.KindToken, push.KindToken, push.KindFID, push.KindTopic, push.KindCondition}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	return push.Address{Kind: kind, Value: push.Token(rapid.StringMatching(`[ -~]{1,200}`).Draw(t, "value"))}
}

func drawRecipients(t *rapid.T, least, most int) []push.Recipient {
	rs := rapid.SliceOfN(rapid.Custom(drawRecipient), least, most).Draw(t, "recipients")
	if rapid.Bool().Draw(t, "consecutive") {
		for i := range rs {
			rs[i].Line = rs[0].Line + int64(i)
		}
	}
	return rs
}

func drawChunk(t *rapid.T, most int) push.Chunk {
	c := push.Chunk{
		Ref: push.ChunkRef{
			Notification: push.ID(rapid.SampledFrom([]string{ntfID, batID}).Draw(t, "id")), Seq: rapid.IntRange(0, 1<<30).Draw(t, "seq"),
		},
		Tenant: rapid.StringN(1, 20, -1).Draw(t, "tenant"), Recipients: drawRecipients(t, 1, most),
		Attempt: rapid.IntRange(1, 99).Draw(t, "attempt"), Turn: rapid.IntRange(0, 999).Draw(t, "turn"),
		NotBefore: drawTime(t, "not before"), Wait: time.Duration(rapid.IntRange(0, 100_000_000).Draw(t, "wait")) * time.Millisecond,
		Since: drawTime(t, "since"), PlanQueuedAt: drawTime(t, "plan queued"),
	}
	facts := rapid.SampledFrom(push.Codes()).Draw(t, "code")
	if rapid.Bool().Draw(t, "failed before") {
		c.LastCode = facts.Code
	}
	n := len(c.Recipients)
	c.Index = rapid.SliceOfNDistinct(rapid.IntRange(0, push.MaxChunkRecipients-1), n, n, rapid.ID).Draw(t, "index")
	slices.Sort(c.Index)
	if rapid.Bool().Draw(t, "uneven") {
		c.Attempts = rapid.SliceOfN(rapid.IntRange(1, 99), n, n).Draw(t, "attempts")
	}
	return c
}

func drawTime(t *rapid.T, label string) time.Time {
	if rapid.Bool().Draw(t, label+" is zero") {
		return time.Time{}
	}
	return time.UnixMilli(rapid.Int64Range(1, 1<<42).Draw(t, label)).UTC()
}

func TestChunkRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawChunk(t, 20)
		body, err := wire.EncodeChunk(&want, trace)
		if err != nil {
			t.Fatal(err)
		}
		got, tp, err := wire.DecodeChunk(body)
		same(t, got, want, err)
		if tp != trace {
			t.Fatalf("traceparent is %q", tp)
		}
	})
}

func TestRecipientsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecipients(t, 0, 30)
		body, err := wire.EncodeRecipients(want)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i].Renew, want[i].Unknown = false, false // decided at every sending, not part of a page
		}
		got, err := wire.DecodeRecipients(body)
		same(t, got, want, err)
	})
}

// TestLineZero: no line is 0 unless there is none, so 0 must not count on.
func TestLineZero(t *testing.T) {
	t.Parallel()
	want := []push.Recipient{{Address: token("a")}, {Address: token("b"), Line: 1}, {Address: token("c"), Line: 2}}
	body, err := wire.EncodeRecipients(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeRecipients(body)
	same(t, got, want, err)
}

func TestUndeliveredRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := wire.Undelivered{Chunk: drawChunk(t, 10)}
		for range want.Chunk.Recipients {
			want.Codes = append(want.Codes, rapid.SampledFrom(push.Codes()).Draw(t, "code").Code)
			want.Detail = append(want.Detail, rapid.String().Draw(t, "detail"))
		}
		body, err := wire.EncodeUndelivered(&want, "")
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := wire.DecodeUndelivered(body)
		same(t, got, want, err)
	})
}

// billingUnit is what SQS counts as one request
// (https://aws.amazon.com/sqs/pricing/).
const billingUnit = 64 << 10

func TestRecipientBytesIsAnUpperBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rs := drawRecipients(t, 0, 40)
		bound := 0
		for i := range rs {
			bound += wire.RecipientBytes(&rs[i])
		}
		body, err := wire.EncodeRecipients(rs)
		if err != nil {
			t.Fatal(err)
		}
		const envelope = 120
		if len(body) > bound+envelope {
			t.Fatalf("%d bytes, bounded by %d and an envelope of %d", len(body), bound, envelope)
		}
	})
}

// TestFullChunkIsOneBillingUnit fills chunks to their limits in the ways that
// cost most: many short rows, and few long ones, with everything that a chunk
// may gain on its way.
func TestFullChunkIsOneBillingUnit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		size int
		user string
	}{
		{"many short tokens", 60, ""},
		{"both limits at once", 110, ""},
		{"tokens of today", 163, ""},
		{"long tokens", 1024, ""},
		{"users", 163, "user-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			chunk := push.Chunk{
				Ref: push.ChunkRef{Notification: batID, Seq: 1 << 30}, Tenant: strings.Repeat("t", 64),
				Attempt: 10, Turn: 1000, NotBefore: at, Since: at, PlanQueuedAt: at, LastCode: push.CodeFCMQuotaExceeded,
			}
			bytes := 0
			for i := range push.MaxChunkRecipients {
				r := push.Recipient{
					Address: token(strings.Repeat("x", c.size)), Line: 10_000_000 + 2*int64(i), UserID: c.user, Renew: true, Unknown: true,
					Platform: push.PlatformWeb,
				}
				if bytes += wire.RecipientBytes(&r); bytes > push.MaxChunkBytes {
					break
				}
				chunk.Recipients = append(chunk.Recipients, r)
				chunk.Attempts = append(chunk.Attempts, 9+i%2)
				chunk.Index = append(chunk.Index, i)
			}
			last := len(chunk.Recipients) - 1
			chunk.Index[last] = push.MaxChunkRecipients - 1 // a gap, so that all are written
			body, err := wire.EncodeChunk(&chunk, trace)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d recipients in %d bytes", last+1, len(body))
			if len(body) > billingUnit {
				t.Errorf("%d recipients in %d bytes, more than %d", last+1, len(body), billingUnit)
			}
		})
	}
}
