package batch_test

import (
	"sync"
	"testing"

	"github.com/belfry-push/belfry/internal/batch"
)

// Two uploads of the same part at once: every line counts once, and each caller
// is told of every line of its own. Both may be told that a line was accepted:
// their pages were the same, so it is true of both.
func TestUploadSamePartAtOnce(t *testing.T) {
	t.Parallel()
	w := open()
	b := room(t, w, 7)
	var both sync.WaitGroup
	var results [2]batch.Result
	for i := range results {
		both.Go(func() {
			var err error
			if results[i], err = b.Upload(t.Context(), tenant, w.id, numbered(1, 500), batch.Options{Offset: 1}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	for _, r := range results {
		if r.Accepted+r.Skipped != 500 || r.Watermark != 500 || len(r.Faults) != 0 {
			t.Errorf("got %+v", r)
		}
	}
	if p := w.progress(); p.Sources != 500 || p.Watermark != 500 {
		t.Errorf("progress %+v", p)
	}
	w.stored(t)
}
