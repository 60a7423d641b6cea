package cost

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/cost.md")

// The model of a chunk is what the DynamoDB driver's tests measured.
func TestChunkIsAsMeasured(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/dynamodb.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| \*\*a chunk of 350\*\* \|[^|]*\| ([\d.]+) \|.*\| ([\d.]+) \|$`).FindSubmatch(page)
	if row == nil {
		t.Fatal("docs/dynamodb.md has no row for a chunk of 350")
	}
	for i, item := range []Item{itemRead, itemWrite} {
		measured, err := strconv.ParseFloat(string(row[i+1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		if item == itemWrite { // the driver's test has no clock
			measured += pacedWrites
		}
		near(t, string(item)+" of a chunk", Chunk(chunkRecipients)[item], measured)
	}
}

// What a replayed letter adds to its chunk is what the driver's tests measured
// of a hundred letters.
func TestReplayedIsAsMeasured(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/dynamodb.md")
	if err != nil {
		t.Fatal(err)
	}
	moves := regexp.MustCompile("(?m)^\\| `MoveLetters`, 100 [a-z ]+\\| \\d+ \\| (\\d+) \\|.*\\| (\\d+) \\|$").FindAllSubmatch(page, -1)
	if len(moves) != 3 {
		t.Fatalf("docs/dynamodb.md has %d rows of letters that move, want claimed, sent again and learned", len(moves))
	}
	share := Chunk(chunkRecipients).plus(Usage{itemRead: 1, itemWrite: 2}).times(1.0 / chunkRecipients)
	for i, item := range []Item{itemRead, itemWrite} {
		measured := 0.0
		for _, row := range moves {
			units, err := strconv.ParseFloat(string(row[i+1]), 64)
			if err != nil {
				t.Fatal(err)
			}
			measured += units / 100
		}
		near(t, string(item)+" of a replayed letter", Replayed()[item]-share[item], measured)
	}
}

// A million in one batch stays within the target of the design: $0.15 for calls.
func TestBatchStaysWithinTheTarget(t *testing.T) {
	t.Parallel()
	if calls := list(t).Volume(1_000_000).Calls; calls > 0.15 || calls < 0.05 {
		t.Errorf("a million costs $%.3f in calls, want $0.05 to $0.15", calls)
	}
}

func TestDayIsMadeOfBatches(t *testing.T) {
	t.Parallel()
	p := list(t)
	near(t, "two and a half million", p.Bill(Day(2_500_000)).USD, 2*p.Bill(Notification(1_000_000)).USD+p.Bill(Notification(500_000)).USD)
	near(t, "nothing", p.Bill(Day(0)).USD, 0)
	one, many := p.Bill(Notification(1)).Of(metered()...), p.Bill(Notification(350)).Of(metered()...)
	if one < many/350*10 {
		t.Errorf("one at a time costs $%v, in a chunk $%v each: a chunk must save more", one, many/350)
	}
}

// The tables of docs/cost.md are what the model and the price list say.
func TestDocument(t *testing.T) {
	t.Parallel()
	const path = "../../docs/cost.md"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(data)
	for name, table := range map[string]string{
		"volumes": volumeTable(list(t)), "batch": batchTable(list(t)), "prices": priceTable(list(t)), "cases": caseTable(list(t)),
	} {
		begin, end := "<!-- table "+name+", made by go test ./internal/cost -update -->\n", "<!-- end -->"
		_, rest, ok := strings.Cut(doc, begin)
		now, _, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no table %s", path, name)
		}
		if *update {
			doc = strings.Replace(doc, begin+now+end, begin+table+end, 1)
			continue
		}
		if d := cmp.Diff(table, now); d != "" {
			t.Errorf("table %s (-want +got; run with -update to accept):\n%s", name, d)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What a device adds is what the DynamoDB driver's tests measured, and a single
// notification what they measured of its calls.
func TestCasesAreAsMeasured(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/dynamodb.md")
	if err != nil {
		t.Fatal(err)
	}
	row := func(name string) (reads, writes float64) {
		f := regexp.MustCompile("(?m)^\\| " + regexp.QuoteMeta(name) + ` \| \d+ \| ([\d.–]+) \|.*\| ([\d.–]+) \|$`).FindSubmatch(page)
		if f == nil {
			t.Fatalf("docs/dynamodb.md has no row %s", name)
		}
		number := func(b []byte) float64 {
			n, err := strconv.ParseFloat(strings.Replace(string(b), "–", "0", 1), 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		return number(f[1]), number(f[2])
	}
	cases := map[string]Case{}
	for _, c := range Cases() {
		cases[c.Name] = c
	}
	known := cases["known"].Usage
	for _, c := range []struct {
		name string
		rows []string
	}{
		{"weekly", []string{"`NoteDevices`, a success after a week"}},
		{"first", []string{"`RecordDevices`, unknown, with its success"}},
	} {
		var reads, writes float64
		for _, r := range c.rows {
			rr, ww := row(r)
			reads, writes = reads+rr, writes+ww
		}
		u := cases[c.name].Usage
		near(t, "reads of a device, "+c.name, (u[itemRead]-known[itemRead])/million, reads)
		near(t, "writes of a device, "+c.name, (u[itemWrite]-known[itemWrite])/million, writes)
	}
	var writes float64
	for _, r := range []string{"`Create`, one token, into the outbox", "`Advance` out of the outbox", "`Advance` to completed"} {
		_, ww := row(r)
		writes += ww
	}
	near(t, "writes of one notification beside its chunk", cases["single"].Usage[itemWrite]/million-Chunk(1)[itemWrite], writes)
	for _, c := range cases { // what bounds a new table is no more than the whole
		if c.Writes > c.Usage[itemWrite] || c.Reads > c.Usage[itemRead] {
			t.Errorf("%s: the table %s gets %v writes of %v and %v reads of %v", c.Name, c.Table, c.Writes, c.Usage[itemWrite], c.Reads,
				c.Usage[itemRead])
		}
	}
}

func caseTable(p Prices) string {
	var b strings.Builder
	b.WriteString("| a million | calls | more than known | RRU | WRU | a new table takes at least |\n|---|---:|---:|---:|---:|---:|\n")
	all := p.Cases()
	for _, c := range all {
		fmt.Fprintf(&b, "| `%s`: %s | $%.3f | $%.2f | %s | %s | %.1f min (`%s`) |\n",
			c.Name, c.What, c.Calls, c.Calls-all[0].Calls, quantity(c.ReadUnits), quantity(c.WriteUnits), c.NewTableMinutes, c.Table)
	}
	return b.String()
}

func volumeTable(p Prices) string {
	var b strings.Builder
	head, rule := "| notifications a day | calls | storage | egress |", "|---:|---:|---:|---:|"
	for _, d := range Deployments() {
		head, rule = head+" whole bill, "+d.Name+" |", rule+"---:|"
	}
	b.WriteString(head + "\n" + rule + "\n")
	for _, n := range Typical() {
		v := p.Volume(n)
		fmt.Fprintf(&b, "| %s | $%.3f | $%.3f | $%.3f |", group(n), v.Calls, v.Storage, v.Egress)
		for _, d := range Deployments() {
			fmt.Fprintf(&b, " $%.2f |", v.Whole[d.Name])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func group(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func batchTable(p Prices) string {
	var b strings.Builder
	b.WriteString("| item | one batch of 1,000,000 | USD | 1,000,000 notifications to one token each | USD |\n|---|---:|---:|---:|---:|\n")
	batch, single := Notification(1_000_000), Notification(1).times(1_000_000)
	for _, item := range Items() {
		if batch[item] == 0 && single[item] == 0 {
			continue
		}
		price := p.Items[item]
		fmt.Fprintf(&b, "| %s | %s | %.4f | %s | %.4f |\n", item, quantity(batch[item]), batch[item]/price.Per*price.USD, quantity(single[item]),
			single[item]/price.Per*price.USD)
	}
	fmt.Fprintf(&b, "| **sum** | | **%.4f** | | **%.4f** |\n", p.Bill(batch).USD, p.Bill(single).USD)
	return b.String()
}

func quantity(n float64) string {
	if n < 100 {
		return strconv.FormatFloat(n, 'f', 2, 64)
	}
	return group(int64(n + 0.5))
}

func priceTable(p Prices) string {
	var b strings.Builder
	b.WriteString("| item | USD | per | what |\n|---|---:|---:|---|\n")
	for _, item := range Items() {
		price := p.Items[item]
		fmt.Fprintf(&b, "| %s | %v | %s | [%s](%s) |\n", item, price.USD, group(int64(price.Per)), price.What, price.Source)
	}
	return b.String()
}
