package table

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
	Reader

	most, calls int
	seen        map[string]int
}

func (s *slow) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput,
	_ ...func(*dynamodb.Options),
) (*dynamodb.BatchGetItemOutput, error) {
	s.calls++
	out := &dynamodb.BatchGetItemOutput{
		Responses: map[string][]map[string]types.AttributeValue{}, UnprocessedKeys: map[string]types.KeysAndAttributes{},
	}
	for table, want := range in.RequestItems {
		n := min(s.most, len(want.Keys))
		out.Responses[table] = want.Keys[:n]
		for _, k := range want.Keys[:n] {
			s.seen[Item(k).Text(AttrPK)]++
		}
		if n < len(want.Keys) {
			out.UnprocessedKeys[table] = types.KeysAndAttributes{Keys: want.Keys[n:]}
		}
	}
	return out, nil
}

// devicesLike is a table whose keys have two parts.
func devicesLike() []Table {
	return []Table{{Name: "devices", Key: Key{Partition: AttrPK, Sort: AttrSK}}}
}

func keys(n int) []Item {
	var out []Item
	for i := range n {
		out = append(out, Item{AttrPK: Text(fmt.Sprint("A#", i%90)), AttrSK: Text("device")})
	}
	return out
}

func TestBatchGetAsksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &slow{most: 20, seen: map[string]int{}}
		s := NewClient(r, nil, Config{}, devicesLike())
		found, err := s.BatchGet(t.Context(), "devices", keys(180), true) // 90 keys, twice
		if err != nil {
			t.Fatal(err)
		}
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
		s := NewClient(r, nil, Config{}, devicesLike())
		_, err := s.BatchGet(t.Context(), "devices", keys(1), true)
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
		s := NewClient(r, nil, Config{Random: func() uint64 { cancel(); return 1 }}, devicesLike())
		_, err := s.BatchGet(ctx, "devices", keys(1), true)
		if !errors.Is(err, context.Canceled) || r.calls != 1 {
			t.Errorf("after %d calls: %v", r.calls, err)
		}
	})
}
