package remote

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/worker"
)

// How an upload waits for a server that is away. The client has tried a few
// times by then, within seconds; this is for a restart, or a cable.
const (
	firstPause = time.Second
	lastPause  = 15 * time.Second
)

// persist repeats f, which can be repeated, until the server has been away for
// as long as the upload's patience.
func (u *uploading) persist(ctx context.Context, f func() error) error {
	var since time.Time
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := f()
		if err == nil || !away(err) || ctx.Err() != nil {
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if left := u.patience - time.Since(since); left <= 0 {
			return err
		} else if pause > left {
			pause = left
		}
		u.show.Printf("no answer, trying again in %s: %v", pause, err)
		if waitFor(ctx, pause) != nil {
			return err
		}
	}
}

// away tells whether the same call may succeed when the server is back.
func away(err error) bool {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests || p.Status == http.StatusRequestTimeout ||
			p.Code == "body_incomplete"
	}
	_, network := errors.AsType[*url.Error](err)
	return network
}

func waitFor(ctx context.Context, d time.Duration) error {
	if !worker.Wait(ctx, d) {
		return ctx.Err()
	}
	return nil
}
