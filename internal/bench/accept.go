package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The load of the acceptance measurement: 100,000 notifications a minute, each
// a request of its own, sent on a fixed schedule whether or not answers are
// late, so that a slow server can't slow its own measurement down.
const (
	acceptRate    = 1700
	acceptFor     = 10 * time.Second
	acceptClients = 256
)

// accept measures how long POST /v1/notifications takes, counted from when the
// request was due.
func (r *run) accept(ctx context.Context, addr string) error {
	n := int(acceptRate * acceptFor.Seconds())
	transport := &http.Transport{MaxIdleConnsPerHost: acceptClients, MaxConnsPerHost: acceptClients}
	defer transport.CloseIdleConnections()
	hc := &http.Client{Transport: transport, Timeout: acceptFor}
	due := make(chan time.Time, n)
	took := make([]time.Duration, n)
	errs := make(chan error, acceptClients)
	var next sync.Mutex
	done := 0
	var clients sync.WaitGroup
	for range acceptClients {
		clients.Go(func() {
			for at := range due {
				if err := post(ctx, hc, addr+"/v1/notifications"); err != nil {
					errs <- err
					return
				}
				d := time.Since(at)
				next.Lock()
				took[done] = d
				done++
				next.Unlock()
			}
		})
	}
	r.schedule(ctx, due, n)
	clients.Wait()
	select {
	case err := <-errs:
		return fmt.Errorf("bench: accept: %w", err)
	default:
	}
	took = took[:done]
	slices.Sort(took)
	r.printf("accepting %d single notifications at %d/s, delivered meanwhile\n", done, acceptRate)
	r.printf("  latency p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms\n", at(took, 0.5), at(took, 0.95), at(took, 0.99), at(took, 1))
	return nil
}

// schedule releases requests at the rate.
func (r *run) schedule(ctx context.Context, due chan<- time.Time, n int) {
	defer close(due)
	begun := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range n {
		at := begun.Add(time.Duration(i) * time.Second / acceptRate)
		if wait := time.Until(at); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		due <- at
	}
}

func post(ctx context.Context, hc *http.Client, url string) error {
	body := `{"to":{"tokens":["single-0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"]},` +
		`"message":` + message + `}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("answer %s", res.Status)
	}
	return nil
}
