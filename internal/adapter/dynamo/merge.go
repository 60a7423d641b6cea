package dynamo

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// merger walks several partitions that are each sorted by the same attribute as
// if they were one: the price of spreading one listing over shards.
type merger struct {
	store   *Store
	by      string // attribute
	down    bool   // descending
	sources []*source
}

// source is one partition's part of a walk.
type source struct {
	in   *dynamodb.QueryInput
	buf  []map[string]types.AttributeValue
	done bool // nothing behind buf
}

// queries are the parts of one walk.
type queries = []*dynamodb.QueryInput

// merge starts a walk over the partitions that the queries select. Queries must
// all be in the same order. Their Limit is how much is read ahead from each.
func (s *Store) merge(by string, down bool, over queries) *merger {
	m := &merger{store: s, by: by, down: down}
	for _, q := range over {
		forward := !down
		q.ScanIndexForward = &forward
		m.sources = append(m.sources, &source{in: q})
	}
	return m
}

// next returns the next item, nil at the end. Partitions of which nothing is
// buffered are read on first, all at once.
func (m *merger) next(ctx context.Context) (item, error) {
	var dry []*source
	for _, s := range m.sources {
		if len(s.buf) == 0 && !s.done {
			dry = append(dry, s)
		}
	}
	if err := concurrently(ctx, len(dry), func(ctx context.Context, i int) error { return m.fill(ctx, dry[i]) }); err != nil {
		return nil, err
	}
	var first *source
	for _, s := range m.sources {
		if len(s.buf) > 0 && (first == nil || m.before(s.buf[0], first.buf[0])) {
			first = s
		}
	}
	if first == nil {
		return nil, nil
	}
	out := first.buf[0]
	first.buf = first.buf[1:]
	return out, nil
}

func (m *merger) before(a, b item) bool {
	c := cmp.Compare(a.text(m.by), b.text(m.by))
	return c < 0 && !m.down || c > 0 && m.down
}

// fill reads on until something is buffered: a page may be empty and not the
// last.
func (m *merger) fill(ctx context.Context, s *source) error {
	for len(s.buf) == 0 && !s.done {
		items, last, err := m.store.query(ctx, s.in)
		if err != nil {
			return err
		}
		s.buf, s.done, s.in.ExclusiveStartKey = items, len(last) == 0, last
	}
	return nil
}

// take returns the next n items, fewer at the end.
func (m *merger) take(ctx context.Context, n int) ([]item, error) {
	var out []item
	for len(out) < n {
		i, err := m.next(ctx)
		if err != nil {
			return nil, err
		}
		if i == nil {
			break
		}
		out = append(out, i)
	}
	return out, nil
}

// ahead is how many items to read from each of n shards at once so that a page
// of limit seldom needs a second round: its share and a bit.
func ahead(limit, shards int) *int32 {
	n := int32(limit/shards + 2 + limit/(4*shards)) //nolint:gosec // limit is at most a few thousand
	return &n
}

// between is a query of one partition: every sort key from..to, both included.
func between(table, partition, from, to string, limit *int32) *dynamodb.QueryInput {
	var e expression
	cond := e.name(attrPK) + " = " + e.value("pk", text(partition)) +
		" AND " + e.name(attrSK) + " BETWEEN " + e.value("from", text(from)) + " AND " + e.value("to", text(to))
	return &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: &cond, Limit: limit,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	}
}
