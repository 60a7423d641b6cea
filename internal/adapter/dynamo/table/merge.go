package table

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Merger walks several partitions that are each sorted by the same attribute as
// if they were one: the price of spreading one listing over shards.
type Merger struct {
	db      *Client
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

// Queries are the parts of one walk.
type Queries = []*dynamodb.QueryInput

// Merge starts a walk over the partitions that the queries select. Queries must
// all be in the same order. Their Limit is how much is read ahead from each.
func (c *Client) Merge(by string, down bool, over Queries) *Merger {
	m := &Merger{db: c, by: by, down: down}
	for _, q := range over {
		forward := !down
		q.ScanIndexForward = &forward
		m.sources = append(m.sources, &source{in: q})
	}
	return m
}

// Next returns the next item, nil at the end. Partitions of which nothing is
// buffered are read on first, all at once.
func (m *Merger) Next(ctx context.Context) (Item, error) {
	var dry []*source
	for _, s := range m.sources {
		if len(s.buf) == 0 && !s.done {
			dry = append(dry, s)
		}
	}
	if err := Concurrently(ctx, len(dry), func(ctx context.Context, i int) error { return m.fill(ctx, dry[i]) }); err != nil {
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

// ReadAhead sets how much is read ahead from each partition so that a page of limit
// seldom needs a second round.
func (m *Merger) ReadAhead(limit int) {
	for _, s := range m.sources {
		s.in.Limit = Ahead(limit, max(1, len(m.sources)))
	}
}

func (m *Merger) before(a, b Item) bool {
	c := cmp.Compare(a.Text(m.by), b.Text(m.by))
	return c < 0 && !m.down || c > 0 && m.down
}

// fill reads on until something is buffered: a page may be empty and not the
// last.
func (m *Merger) fill(ctx context.Context, s *source) error {
	for len(s.buf) == 0 && !s.done {
		items, last, err := m.db.query(ctx, s.in)
		if err != nil {
			return err
		}
		s.buf, s.done, s.in.ExclusiveStartKey = items, len(last) == 0, last
	}
	return nil
}

// Take returns the next n items, fewer at the end.
func (m *Merger) Take(ctx context.Context, n int) ([]Item, error) {
	var out []Item
	for len(out) < n {
		i, err := m.Next(ctx)
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

// Ahead is how many items to read from each of n shards at once so that a page
// of limit seldom needs a second round: its share and a bit.
func Ahead(limit, shards int) *int32 {
	n := int32(limit/shards + 2 + limit/(4*shards)) //nolint:gosec // limit is at most a few thousand
	return &n
}

// Between is a query of one partition: every sort key from..to, both included.
func Between(table, partition, from, to string, limit *int32) *dynamodb.QueryInput {
	var e Expression
	cond := e.Name(AttrPK) + " = " + e.Value("pk", Text(partition)) +
		" AND " + e.Name(AttrSK) + " BETWEEN " + e.Value("from", Text(from)) + " AND " + e.Value("to", Text(to))
	return &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: &cond, Limit: limit,
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values,
	}
}
