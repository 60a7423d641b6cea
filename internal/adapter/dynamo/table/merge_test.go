package table

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"
)

// shelf answers Queries from sorted lists by partition, with empty pages in
// between, as DynamoDB may.
type shelf struct {
	Reader

	rows  map[string][]string
	calls atomic.Int64
	fail  int64 // the call that fails, from 1
}

func (s *shelf) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	call := s.calls.Add(1)
	if call == s.fail {
		return nil, errors.New("no")
	}
	rows := slices.Clone(s.rows[Item(in.ExpressionAttributeValues).Text(":pk")])
	if !*in.ScanIndexForward {
		slices.Reverse(rows)
	}
	start, _ := strconv.Atoi(Item(in.ExclusiveStartKey).Text("at"))
	end := min(start+int(*in.Limit), len(rows))
	if call%3 == 0 {
		end = start
	}
	out := &dynamodb.QueryOutput{}
	for _, r := range rows[start:end] {
		out.Items = append(out.Items, map[string]types.AttributeValue{AttrSK: Text(r)})
	}
	if end < len(rows) {
		out.LastEvaluatedKey = map[string]types.AttributeValue{"at": Text(strconv.Itoa(end))}
	}
	return out, nil
}

func TestMerge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		down := rapid.Bool().Draw(t, "down")
		limit := rapid.Int32Range(1, 4).Draw(t, "limit")
		r := &shelf{rows: map[string][]string{}}
		var want []string
		var over Queries
		s := NewClient(r, nil, Config{}, nil)
		for i := range rapid.IntRange(0, 5).Draw(t, "partitions") {
			rows := rapid.SliceOfN(rapid.StringMatching(`[a-d]{1,3}`), 0, 9).Draw(t, "rows")
			slices.Sort(rows)
			pk := strconv.Itoa(i)
			r.rows[pk] = rows
			want = append(want, rows...)
			over = append(over, Between("table", pk, "a", "z", &limit))
		}
		slices.Sort(want)
		if down {
			slices.Reverse(want)
		}
		n := rapid.IntRange(0, len(want)+1).Draw(t, "take")
		got, err := s.Merge(AttrSK, down, over).Take(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		var rows []string
		for _, i := range got {
			rows = append(rows, i.Text(AttrSK))
		}
		if !slices.Equal(rows, want[:min(n, len(want))]) {
			t.Fatalf("got %v, want the first %d of %v", rows, n, want)
		}
	})
}

func TestMergeFails(t *testing.T) {
	t.Parallel()
	for fail := range int64(4) {
		r := &shelf{rows: map[string][]string{"0": {"a", "b", "c"}, "1": {"d"}}, fail: fail + 1}
		s := NewClient(r, nil, Config{}, nil)
		limit := int32(1)
		m := s.Merge(AttrSK, false, Queries{Between("table", "0", "a", "z", &limit), Between("table", "1", "a", "z", &limit)})
		if _, err := m.Take(t.Context(), 10); err == nil {
			t.Errorf("call %d failed and nobody noticed", fail+1)
		}
	}
}
