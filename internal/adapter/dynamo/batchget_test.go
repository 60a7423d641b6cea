package dynamo

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// slow processes at most most keys of a batch.
type slow struct {
	reader

	most, calls int
	seen        map[string]int
}

func (s *slow) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	s.calls++
	out := &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{}, UnprocessedKeys: map[string]types.KeysAndAttributes{}}
	for table, want := range in.RequestItems {
		n := min(s.most, len(want.Keys))
		out.Responses[table] = want.Keys[:n]
		for _, k := range want.Keys[:n] {
			s.seen[item(k).text(attrPK)]++
		}
		if n < len(want.Keys) {
			out.UnprocessedKeys[table] = types.KeysAndAttributes{Keys: want.Keys[n:]}
		}
	}
	return out, nil
}

func keys(n int) []item {
	var out []item
	for i := range n {
		out = append(out, deviceKey(fmt.Sprint("A#", i%90)))
	}
	return out
}

func TestBatchGetAsksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &slow{most: 20, seen: map[string]int{}}
		s := newStore(r, nil, Config{})
		found, err := s.batchGet(t.Context(), s.devices, keys(180), true) // 90 keys, twice
		must(t, err)
		if len(found) != 90 || len(r.seen) != 90 || r.calls != 5 {
			t.Errorf("%d items of %d keys in %d calls, want 90 of 90 in 5", len(found), len(r.seen), r.calls)
		}
		for pk, n := range r.seen {
			if n != 1 {
				t.Errorf("%s was read %d times", pk, n)
			}
		}
	})
}

func TestBatchGetGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &slow{seen: map[string]int{}}
		s := newStore(r, nil, Config{})
		_, err := s.batchGet(t.Context(), s.devices, keys(1), true)
		if KindOf(err) != KindThrottled || r.calls != batchTries {
			t.Errorf("after %d calls: %v", r.calls, err)
		}
	})
}

func TestBatchGetStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &slow{seen: map[string]int{}}
		s := newStore(r, nil, Config{Random: func() uint64 { cancel(); return 1 }})
		_, err := s.batchGet(ctx, s.devices, keys(1), true)
		if !errors.Is(err, context.Canceled) || r.calls != 1 {
			t.Errorf("after %d calls: %v", r.calls, err)
		}
	})
}
