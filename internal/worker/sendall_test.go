package worker_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/worker"
)

// calls notes how many messages every call brought.
type calls []int

func (c *calls) Send(_ context.Context, msgs []worker.Outgoing) error {
	*c = append(*c, len(msgs))
	return nil
}

func TestSendAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		n, size int
		want    []int
	}{
		{"none", 0, 1, nil},
		{"a batch", 10, 1, []int{10}},
		{"more than a batch", 23, 1, []int{10, 10, 3}},
		{"as much as a call takes", 4, worker.MaxBodyBytes / 4, []int{4}},
		{"more than a call takes", 5, worker.MaxBodyBytes/4 + 1, []int{3, 2}},
		{"one that is too large is the queue's to refuse", 2, worker.MaxBodyBytes + 1, []int{1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got calls
			err := worker.SendAll(t.Context(), &got, slices.Repeat([]worker.Outgoing{{Body: make([]byte, c.size)}}, c.n))
			if diff := cmp.Diff(c.want, []int(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
