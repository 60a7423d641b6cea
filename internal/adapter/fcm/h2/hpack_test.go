package h2

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/net/http2/hpack"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// TestHeaderBlocks checks, for any course of requests, token changes and table
// sizes, that a decoder on the other side reads exactly the fields that were
// meant: the cached block must never get out of step with the table.
func TestHeaderBlocks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		enc := newHeaderEncoder()
		var got []hpack.HeaderField
		dec := hpack.NewDecoder(4096, func(f hpack.HeaderField) { got = append(got, f) })
		dec.SetAllowedMaxDynamicTableSize(1 << 16)
		var headers []*transport.Header
		for i := range 4 {
			token := fmt.Sprintf("%0*d", rapid.IntRange(1, 1500).Draw(t, "length of token"), i)
			headers = append(headers,
				transport.NewHeader("https", "fcm.googleapis.com", "/v1/projects/p/messages:send", "authorization", "Bearer "+token))
		}
		for range rapid.IntRange(1, 40).Draw(t, "requests") {
			if rapid.IntRange(0, 9).Draw(t, "resize") == 0 {
				enc.setTableSize(rapid.SampledFrom([]uint32{0, 64, 200, 1500, 4096, 65536}).Draw(t, "size"))
			}
			h := rapid.SampledFrom(headers).Draw(t, "header")
			n := rapid.IntRange(0, 20_000).Draw(t, "length")
			got = nil
			if _, err := dec.Write(enc.encode(h, n)); err != nil {
				t.Fatalf("decode: %v", err)
			}
			if err := dec.Close(); err != nil {
				t.Fatalf("decode: %v", err)
			}
			for i := range got {
				got[i].Sensitive = false
			}
			want := []hpack.HeaderField{
				{Name: ":method", Value: "POST"},
				{Name: ":scheme", Value: h.Scheme},
				{Name: ":authority", Value: h.Authority},
				{Name: ":path", Value: h.Path},
			}
			for _, f := range h.Fields {
				want = append(want, hpack.HeaderField{Name: f.Name, Value: f.Value})
			}
			want = append(want, hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(n)})
			if !slices.Equal(got, want) {
				t.Fatalf("decoded %v, want %v", got, want)
			}
		}
	})
}

// TestHeaderBlockIsSmall is what the cache is for.
//
//nolint:paralleltest // counts allocations
func TestHeaderBlockIsSmall(t *testing.T) {
	enc := newHeaderEncoder()
	h := transport.NewHeader("https", "fcm.googleapis.com", "/v1/projects/p/messages:send", "authorization",
		"Bearer "+fmt.Sprintf("%01000d", 1))
	first := len(enc.encode(h, 483))
	second := len(enc.encode(h, 483))
	if first < 400 || second > 12 || enc.cachedFor != h {
		t.Errorf("blocks of %d and %d bytes, want a long and a short one", first, second)
	}
	if got := testing.AllocsPerRun(100, func() { enc.encode(h, 483) }); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

// TestHeadersThatTakeTurns: a credential among many leaves the table to the one that has it,
// and gets it when it is alone.
//
//nolint:paralleltest // counts allocations
func TestHeadersThatTakeTurns(t *testing.T) {
	enc := newHeaderEncoder()
	header := func(project, token string) *transport.Header {
		return transport.NewHeader("https", "fcm.googleapis.com", "/v1/projects/"+project+"/messages:send", "authorization",
			"Bearer "+fmt.Sprintf("%s%01000d", token, 1))
	}
	a, b, c := header("a", "A"), header("b", "B"), header("c", "C")
	enc.encode(a, 1)
	enc.encode(a, 1)
	for range 100 { // they take turns
		for _, other := range []*transport.Header{b, c} {
			if n := len(enc.encode(other, 1)); n < 400 {
				t.Fatalf("a block of %d bytes", n)
			}
			if n := len(enc.encode(a, 1)); n > 12 {
				t.Fatalf("the owner's block has %d bytes", n)
			}
		}
	}
	if got := testing.AllocsPerRun(100, func() { enc.encode(b, 483); enc.encode(c, 483) }); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
	for range takeover + 1 {
		enc.encode(b, 1)
	}
	if n := len(enc.encode(b, 1)); n > 12 {
		t.Errorf("alone, b has blocks of %d bytes", n)
	}
}
