package sendapi

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestUniqueCountsAgreeWithCounting compares the lazy counts with plain maps over any sequence of messages, questions and
// resets.
func TestUniqueCountsAgreeWithCounting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l, c, bodies := &ledger{}, newUniqueCounts(), newTemplates(1<<20)
		tokens, deliveries := map[string]bool{}, map[string]bool{}
		var accepted, duplicates uint64
		numbers := map[uint64]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				kind := rapid.SampledFrom([]string{"token", "fid", "topic"}).Draw(t, "kind")
				address := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "address")
				id := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id")
				body := fmt.Sprintf(`{"message":{"%s":"%s","data":{"belfry_id":"%s"}}}`, kind, address, id)
				tmpl, got, refusal := bodies.read([]byte(body))
				if refusal != nil || got != address {
					t.Fatalf("%q, %v", got, refusal)
				}
				number := l.add(record{tmpl: tmpl, address: got})
				if numbers[number] {
					t.Fatalf("number %d was given out before", number)
				}
				numbers[number] = true
				accepted++
				if kind != "topic" {
					tokens[kind+address] = true
				}
				if deliveries[kind+address+id] {
					duplicates++
				}
				deliveries[kind+address+id] = true
			},
			"ask": func(t *rapid.T) {
				n, u, d := c.update(l)
				if n != accepted || u != uint64(len(tokens)) || d != duplicates {
					t.Fatalf("got %d, %d, %d; want %d, %d, %d", n, u, d, accepted, len(tokens), duplicates)
				}
			},
			"reset": func(*rapid.T) {
				c.reset(l)
				accepted, duplicates = 0, 0
				clear(tokens)
				clear(deliveries)
			},
		})
	})
}

func TestLedgerSpansBlocks(t *testing.T) {
	t.Parallel()
	var l ledger
	const n = 2*blockSize + 1
	for i := range int64(n) {
		l.add(record{at: i})
	}
	want := int64(5)
	for number, r := range l.since(5) {
		if r.at != want || number != uint64(want)+1 {
			t.Fatalf("record %d has number %d, want %d", r.at, number, want)
		}
		want++
	}
	if want != n {
		t.Errorf("ended at %d of %d", want, n)
	}
}
