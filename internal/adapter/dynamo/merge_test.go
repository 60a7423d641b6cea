package dynamo

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

// shelf answers queries from sorted lists by partition, with empty pages in
// between, as DynamoDB may.
type shelf struct {
	reader

	rows  map[string][]string
	calls atomic.Int64
	fail  int64 // the call that fails, from 1
}

func (s *shelf) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	call := s.calls.Add(1)
	if call == s.fail {
		return nil, errors.New("no")
	}
	rows := slices.Clone(s.rows[item(in.ExpressionAttributeValues).text(":pk")])
	if !*in.ScanIndexForward {
		slices.Reverse(rows)
	}
	start, _ := strconv.Atoi(item(in.ExclusiveStartKey).text("at"))
	end := min(start+int(*in.Limit), len(rows))
	if call%3 == 0 {
		end = start
	}
	out := &dynamodb.QueryOutput{}
	for _, r := range rows[start:end] {
		out.Items = append(out.Items, map[string]types.AttributeValue{attrSK: text(r)})
	}
	if end < len(rows) {
		out.LastEvaluatedKey = map[string]types.AttributeValue{"at": text(strconv.Itoa(end))}
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
		var over queries
		s := newStore(r, nil, Config{})
		for i := range rapid.IntRange(0, 5).Draw(t, "partitions") {
			rows := rapid.SliceOfN(rapid.StringMatching(`[a-d]{1,3}`), 0, 9).Draw(t, "rows")
			slices.Sort(rows)
			pk := strconv.Itoa(i)
			r.rows[pk] = rows
			want = append(want, rows...)
			over = append(over, between("table", pk, "a", "z", &limit))
		}
		slices.Sort(want)
		if down {
			slices.Reverse(want)
		}
		n := rapid.IntRange(0, len(want)+1).Draw(t, "take")
		got, err := s.merge(attrSK, down, over).take(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		var rows []string
		for _, i := range got {
			rows = append(rows, i.text(attrSK))
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
		s := newStore(r, nil, Config{})
		limit := int32(1)
		m := s.merge(attrSK, false, queries{between("table", "0", "a", "z", &limit), between("table", "1", "a", "z", &limit)})
		if _, err := m.take(t.Context(), 10); err == nil {
			t.Errorf("call %d failed and nobody noticed", fail+1)
		}
	}
}
