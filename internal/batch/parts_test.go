package batch_test

import (
	"sync"
	"testing"

	"github.com/belfry-push/belfry/internal/batch"
)

// Two uploads of the same part at once: every line counts once, and each caller
// is told of every line of its own.
func TestUploadSamePartAtOnce(t *testing.T) {
	t.Parallel()
	h := open()
	b := room(t, h, 7)
	var both sync.WaitGroup
	var results [2]batch.Result
	for i := range results {
		both.Go(func() {
			var err error
			if results[i], err = b.Upload(t.Context(), tenant, h.n.ID, numbered(1, 500), batch.Options{Offset: 1}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	accepted := int64(0)
	for _, r := range results {
		accepted += r.Accepted
		if r.Accepted+r.Skipped != 500 || r.Watermark != 500 || len(r.Faults) != 0 {
			t.Errorf("got %+v", r)
		}
	}
	if p := h.n.Progress; accepted > 500 || p.Sources != 500 || p.Watermark != 500 {
		t.Errorf("%d accepted, progress %+v", accepted, p)
	}
	h.stored(t)
}
