package fanout

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

func row(size int) push.Recipient {
	return push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(strings.Repeat("x", size))}, Line: 1}
}

func sizes(chunks []push.Chunk, err error) (n []int) {
	if err != nil {
		return []int{-1}
	}
	for i := range chunks {
		n = append(n, len(chunks[i].Recipients))
	}
	return n
}

func TestCutBoundaries(t *testing.T) {
	t.Parallel()
	fits := push.MaxChunkBytes / func() int { r := row(163); return wire.RecipientBytes(&r) }()
	giant := row(100)
	giant.Data = map[string]string{"k": strings.Repeat("v", push.MaxChunkBytes)}
	for _, c := range []struct {
		name string
		rows []push.Recipient
		want []int
	}{
		{"none: an empty chunk says that the page is planned", nil, []int{0}},
		{"one", slices.Repeat([]push.Recipient{row(9)}, 1), []int{1}},
		{"as many as fit by count", slices.Repeat([]push.Recipient{row(9)}, 500), []int{500}},
		{"one more", slices.Repeat([]push.Recipient{row(9)}, 501), []int{500, 1}},
		{"as many as fit by bytes", slices.Repeat([]push.Recipient{row(163)}, fits), []int{fits}},
		{"one more by bytes", slices.Repeat([]push.Recipient{row(163)}, 2*fits+1), []int{fits, fits, 1}},
		{"one that is too large alone", []push.Recipient{row(9), giant, row(9)}, []int{1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := push.Notification{ID: "bat_x", Tenant: "t"}
			if diff := cmp.Diff(c.want, sizes(cut(&n, 3, c.rows, nil))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCutProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var rows []push.Recipient
		for _, run := range rapid.SliceOfN(rapid.IntRange(1, push.MaxAddressBytes), 0, 12).Draw(t, "sizes") {
			rows = append(rows, slices.Repeat([]push.Recipient{row(run)}, rapid.IntRange(1, 200).Draw(t, "repeat"))...)
		}
		page := rapid.IntRange(0, 1000).Draw(t, "page")
		n := push.Notification{ID: "bat_x", Tenant: "t"}
		chunks, err := cut(&n, page, rows, nil)
		if diff := cmp.Diff(sizes(chunks, err), sizes(cut(&n, page, slices.Clone(rows), nil))); diff != "" || err != nil {
			t.Fatalf("a second run cuts elsewhere (%v):\n%s", err, diff)
		}
		var all []push.Recipient
		for i, c := range chunks {
			if c.Ref.Seq != page*push.ChunksPerPage+i || c.Ref.Page() != page {
				t.Fatalf("chunk %d of page %d has sequence %d", i, page, c.Ref.Seq)
			}
			bytes := 0
			for j := range c.Recipients {
				bytes += wire.RecipientBytes(&c.Recipients[j])
				if c.Index[j] != j {
					t.Fatalf("row %d has cell %d", j, c.Index[j])
				}
			}
			if len(c.Recipients) > push.MaxChunkRecipients || bytes > push.MaxChunkBytes && len(c.Recipients) > 1 {
				t.Fatalf("%d recipients of %d bytes", len(c.Recipients), bytes)
			}
			if next := len(all) + len(c.Recipients); next < len(rows) && len(c.Recipients) < push.MaxChunkRecipients &&
				bytes+wire.RecipientBytes(&rows[next]) <= push.MaxChunkBytes {
				t.Fatalf("chunk %d had room for one more", i)
			}
			all = append(all, c.Recipients...)
		}
		if diff := cmp.Diff(len(rows), len(all)); diff != "" {
			t.Fatalf("recipients lost or made up:\n%s", diff)
		}
		for i := range all {
			if all[i].Address != rows[i].Address {
				t.Fatalf("row %d is out of order", i)
			}
		}
	})
}

// What is planned already is cut as it was, whatever the rule is now; the rest
// follows by the rule.
func TestCutKeepsWhatIsStored(t *testing.T) {
	t.Parallel()
	stored := func(last bool, sizes ...int) (lines []ledger.Line) {
		for _, n := range sizes {
			lines = append(lines, ledger.Line{Cells: make([]ledger.Cell, n)})
		}
		lines[len(lines)-1].Last = last
		return lines
	}
	for _, c := range []struct {
		name   string
		rows   int
		rate   int
		stored []ledger.Line
		want   []int
	}{
		{"all of it", 700, 0, stored(true, 300, 300, 100), []int{300, 300, 100}},
		{"the first part", 700, 0, stored(false, 30), []int{30, 500, 170}},
		{"an empty page", 0, 0, stored(true, 0), []int{0}},
		{"a page that has lost rows", 700, 0, stored(true, 300, 401), []int{-1}},
		{"a page that has gained rows", 700, 0, stored(true, 300, 399), []int{-1}},
		{"as planned before it was throttled", 100, 50, stored(false, 70), []int{70, 30}},
		{"throttled", 120, 50, nil, []int{50, 50, 20}},
		{"slower than a chunk a second", 45, 1, nil, []int{20, 20, 5}},
		{"faster than a chunk a second", 1100, 1_000_000, nil, []int{500, 500, 100}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := push.Notification{ID: "bat_x", Tenant: "t", PerSecond: c.rate}
			if diff := cmp.Diff(c.want, sizes(cut(&n, 0, slices.Repeat([]push.Recipient{row(9)}, c.rows), c.stored))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckWait(t *testing.T) {
	t.Parallel()
	last := checkWait(0)
	for turn := range 100 {
		w := checkWait(turn)
		if w < last || w.Seconds() < 2 || w.Seconds() > 60 {
			t.Errorf("turn %d waits %v after %v", turn, w, last)
		}
		last = w
	}
}
