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
		l, c, bodies := &ledger{}, newUniqueCounts(0), newTemplates(1<<20)
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
				number, _ := l.add(record{tmpl: tmpl, address: got}, 1)
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
		l.add(record{at: i}, 1)
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

// TestOldestAreDropped: by their number, and by the bytes that they take.
func TestOldestAreDropped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		most        uint64
		mostBytes   int64
		each        int64
		least, kept uint64
	}{
		{"few enough", 1e6, 1e9, 100, 50_000, 50_000},
		{"too many", 10_000, 1e9, 100, 10_000, 10_000 + blockSize},
		{"too large", 1e6, 10 << 20, 10_000, 1000, 1200},
		{"huge ones", 1e6, 10 << 20, 5 << 20, 2, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, u := &ledger{most: c.most, mostBytes: c.mostBytes}, newUniqueCounts(1000)
			tmpl := &template{}
			const n = 50_000
			for i := range int64(n) {
				number, over := l.add(record{at: i, tmpl: tmpl}, c.each)
				if number != uint64(i)+1 {
					t.Fatalf("number %d for %d", number, i)
				}
				if over {
					u.trim(l)
				}
			}
			want := l.gone()
			if kept := n - want; kept < c.least || kept > c.kept {
				t.Errorf("%d are kept, want %d to %d", kept, c.least, c.kept)
			}
			for number, r := range l.since(0) {
				if r.at != int64(want) || number != want+1 {
					t.Fatalf("record %d has number %d, want %d", r.at, number, want)
				}
				want++
			}
			if accepted, _, _ := u.update(l); want != n || accepted != n {
				t.Errorf("ended at %d, %d counted", want, accepted)
			}
			u.reset(l)
			if number, _ := l.add(record{tmpl: tmpl}, 1); number != n+1 || l.gone() != 0 {
				t.Errorf("after a reset: number %d, %d dropped", number, l.gone())
			}
		})
	}
}

// TestCountedBeforeDropped: nothing is dropped that the figures do not hold yet.
func TestCountedBeforeDropped(t *testing.T) {
	t.Parallel()
	l := &ledger{most: 1, mostBytes: 1 << 30}
	for range 3 * blockSize {
		l.add(record{tmpl: &template{}}, 1)
	}
	if l.trim(blockSize - 1); l.gone() != 0 {
		t.Errorf("%d dropped, and only %d counted", l.gone(), blockSize-1)
	}
	if l.trim(2*blockSize + 5); l.gone() != 2*blockSize {
		t.Errorf("%d dropped, want what was counted", l.gone())
	}
}

func TestRecent(t *testing.T) {
	t.Parallel()
	r := newRecent[int, string](10)
	for i := range 1000 {
		r.set(i, "x")
		if _, ok := r.get(7); i >= 7 && !ok {
			t.Fatalf("what is asked for all the time is forgotten after %d", i)
		}
	}
	known := 0
	for i := range 1000 {
		if v, ok := r.get(i); ok && v == "x" {
			known++
		}
	}
	if known < 10 || known > 20 {
		t.Errorf("%d are known", known)
	}
	if r.clear(); len(r.young)+len(r.old) != 0 {
		t.Error("something is left")
	}
}
