package dynamo

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
)

// bill is what some calls cost.
type bill struct {
	calls                int
	read, table, indexed float64 // RRU, WRU of tables, WRU of indexes
}

func (b bill) written() float64 { return b.table + b.indexed }

func (b bill) plus(o bill) bill {
	return bill{b.calls + o.calls, b.read + o.read, b.table + o.table, b.indexed + o.indexed}
}

func (b bill) times(n float64) bill {
	return bill{int(math.Round(float64(b.calls) * n)), b.read * n, b.table * n, b.indexed * n}
}

// till adds up what a store reports.
type till struct {
	mu  sync.Mutex
	sum bill
}

func (t *till) Consumed(_ string, read, write float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum = t.sum.plus(bill{1, read, write, 0})
}

// billed lets queries cost what AWS takes where the stand-in says 0: a read
// that finds nothing costs the least unit
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
type billed struct{ table.Reader }

func (b billed) Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := b.Reader.Query(ctx, in, opts...)
	if err == nil && (out.ConsumedCapacity == nil || aws.ToFloat64(out.ConsumedCapacity.CapacityUnits) == 0) {
		least := 0.5
		if aws.ToBool(in.ConsistentRead) {
			least = 1
		}
		out.ConsumedCapacity = &types.ConsumedCapacity{CapacityUnits: &least}
	}
	return out, err
}

// meterer measures calls against tables that nobody else writes to.
type meterer struct {
	tables

	till  *till
	store *Store
}

func newMeterer(tb testing.TB) *meterer {
	tb.Helper()
	m := &meterer{tables: newTables(tb), till: &till{}}
	// The clock stands still: times would change the size of numbers.
	m.store = newStore(billed{m.client}, m.client, Config{Prefix: m.prefix, Meter: m.till, Now: at})
	return m
}

// measure returns what f costs. What the indexes cost follows from the items
// before and after: the stand-in does not bill them, and AWS bills them by the
// rules of
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes.
func (m *meterer) measure(tb testing.TB, f func(s *Store) error) bill {
	tb.Helper()
	before := m.everything(tb)
	m.till.sum = bill{}
	must(tb, f(m.store))
	b := m.till.sum
	after := m.everything(tb)
	for _, t := range Tables(m.prefix) {
		for _, x := range t.Indexes {
			for key := range union(before[t.Name], after[t.Name]) {
				b.indexed += indexUnits(entry(t, x, before[t.Name][key]), entry(t, x, after[t.Name][key]))
			}
		}
	}
	return b
}

func union(a, b map[string]table.Item) map[string]bool {
	out := make(map[string]bool, len(a)+len(b))
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

// names are a key's attributes.
func names(k table.Key) []string {
	if k.Sort == "" {
		return []string{k.Partition}
	}
	return []string{k.Partition, k.Sort}
}

// keyName is an item's key as a text.
func keyName(t Table, i table.Item) string {
	var parts []string
	for _, name := range names(t.Key) {
		parts = append(parts, i.Text(name))
	}
	return strings.Join(parts, "\x00")
}

// entry is what an index holds of an item, nil without its keys.
func entry(t Table, x Index, i table.Item) table.Item {
	for _, name := range names(x.Key) {
		if !i.Has(name) {
			return nil
		}
	}
	return i.Key(append(names(t.Key), names(x.Key)...)...)
}

// indexUnits is what it costs to turn one entry into another. A changed key is a
// deletion and an insertion; KEYS_ONLY leaves nothing else to change.
func indexUnits(before, after table.Item) float64 {
	size := func(i table.Item) float64 {
		if i == nil {
			return 0
		}
		return math.Ceil(float64(table.ItemSize(i)) / 1024)
	}
	for name := range before {
		if before.Text(name) != after.Text(name) {
			return size(before) + size(after)
		}
	}
	if before != nil && after != nil {
		return 0
	}
	return size(before) + size(after)
}

// everything reads all tables, by table and key.
func (m *meterer) everything(tb testing.TB) map[string]map[string]table.Item {
	tb.Helper()
	out := map[string]map[string]table.Item{}
	for _, t := range Tables(m.prefix) {
		items := map[string]table.Item{}
		out[t.Name] = items
		if len(t.Indexes) == 0 {
			continue
		}
		var from table.Item
		for {
			page, err := m.client.Scan(tb.Context(), &dynamodb.ScanInput{TableName: aws.String(t.Name), ExclusiveStartKey: from})
			must(tb, err)
			for _, i := range page.Items {
				items[keyName(t, i)] = i
			}
			if from = page.LastEvaluatedKey; len(from) == 0 {
				break
			}
		}
	}
	return out
}
