package batch_test

import (
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/belfry-push/belfry/internal/batch"
)

// All-or-nothing uploads side by side have a bound of memory together; what one
// took is given back at its end.
func TestSpoolsTogether(t *testing.T) {
	t.Parallel()
	h := open()
	b := room(t, h, 0) // with a spool of 1 MiB
	const most, nearlyFull = 4, 5200
	o := batch.Options{AllOrNothing: true}
	var slow sync.WaitGroup
	var ends []*io.PipeWriter
	for range most {
		r, w := io.Pipe()
		ends = append(ends, w)
		slow.Go(func() {
			if res, err := b.Upload(t.Context(), tenant, h.n.ID, r, o); err != nil || res.Accepted != nearlyFull {
				t.Errorf("%+v, %v", res, err)
			}
		})
		if _, err := io.WriteString(w, lines(1, nearlyFull)); err != nil {
			t.Fatal(err)
		}
	}
	res, err := b.Upload(t.Context(), tenant, h.n.ID, numbered(1, nearlyFull), o)
	if !errors.Is(err, batch.ErrBusy) || res.Accepted != 0 || h.n.Progress.Sources != 0 {
		t.Errorf("one too many: %+v, %v", res, err)
	}
	for _, w := range ends {
		_ = w.Close()
	}
	slow.Wait()
	if _, err := b.Upload(t.Context(), tenant, h.n.ID, numbered(1, nearlyFull), o); err != nil {
		t.Errorf("when they are over: %v", err)
	}
}
