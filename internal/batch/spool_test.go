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
	w := open()
	b := room(t, w, 0) // with a spool of 1 MiB
	const most, nearlyFull = 4, 5200
	o := batch.Options{AllOrNothing: true}
	var slow sync.WaitGroup
	var ends []*io.PipeWriter
	for range most {
		r, end := io.Pipe()
		ends = append(ends, end)
		slow.Go(func() {
			if res, err := b.Upload(t.Context(), tenant, w.id, r, o); err != nil || res.Accepted != nearlyFull {
				t.Errorf("%+v, %v", res, err)
			}
		})
		// The blank line is read once all before it are in the spool, and not only
		// in a buffer.
		for _, part := range []string{lines(1, nearlyFull), "\n"} {
			if _, err := io.WriteString(end, part); err != nil {
				t.Fatal(err)
			}
		}
	}
	res, err := b.Upload(t.Context(), tenant, w.id, numbered(1, nearlyFull), o)
	if !errors.Is(err, batch.ErrBusy) || res.Accepted != 0 || w.progress().Sources != 0 {
		t.Errorf("one too many: %+v, %v", res, err)
	}
	for _, end := range ends {
		_ = end.Close()
	}
	slow.Wait()
	if _, err := b.Upload(t.Context(), tenant, w.id, numbered(1, nearlyFull), o); err != nil {
		t.Errorf("when they are over: %v", err)
	}
}
