package tail

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/document"
)

// Kept is how long at most what processes told each other is kept when nobody follows any more. While somebody does, what a
// process that is gone left behind is removed after five minutes.
const Kept = time.Hour

// Forget removes what processes told each other before a time, and returns how many documents those were. A process that is
// still there writes anew when it has something to tell. It may run in several processes.
func Forget(ctx context.Context, docs document.Store, before time.Time) (int, error) {
	old := func(context.Context, *document.Document) (bool, error) { return true, nil }
	removed := 0
	for _, kind := range []string{kindHead, kindPart} { // a part without a head is read by nobody
		n, err := document.Forget(ctx, docs, kind, before, old)
		if removed += n; err != nil {
			return removed, err
		}
	}
	return removed, nil
}
