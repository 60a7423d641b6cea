package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// loadClients is how many requests are under way at most. One more waits, and its wait counts.
const loadClients = 256

// drainPatience is how long nothing may arrive at FCM before what is missing is given up.
const drainPatience = 30 * time.Second

// load puts single notifications on a server at a fixed rate, whether or not answers are late, so that a slow server
// can't slow its own measurement down (no coordinated omission). Not for concurrent use.
type load struct {
	hc       *http.Client
	api, sim string // URLs
	puts     int    // so far: no two have a token in common
	high     bool   // notifications of high priority, beside others that the simulator gets
}

// newLoad takes the endpoint that the simulator calls itself.
func newLoad(api, endpoint string) (*load, func()) {
	const timeout = time.Minute
	transport := &http.Transport{MaxIdleConnsPerHost: loadClients, MaxConnsPerHost: loadClients}
	l := &load{hc: &http.Client{Transport: transport, Timeout: timeout}, api: api, sim: strings.TrimSuffix(endpoint, "/v1")}
	return l, transport.CloseIdleConnections
}

// arrivals are a load's latencies, sorted, each counted from when the request was due.
type arrivals struct {
	accepted, called []time.Duration // until the answer, and until the simulator had the message
	late             []time.Duration // until it was sent
	refused, missing int
	why              error // of the first refusal
}

// fault is why a load was not borne.
func (a *arrivals) fault() error {
	switch {
	case a.refused > 0:
		return fmt.Errorf("bench: accept: %d requests failed: %w", a.refused, a.why)
	case a.missing > 0:
		return fmt.Errorf("bench: accept: %d notifications were accepted and not delivered within %v", a.missing, drainPatience)
	case len(a.accepted) == 0:
		return errors.New("bench: accept: nothing was accepted")
	}
	return nil
}

// put sends rate requests a second and waits until all that were accepted are delivered.
func (l *load) put(ctx context.Context, rate int, lasts time.Duration) (*arrivals, error) {
	if !l.high { // it must not forget what a batch beside has sent
		if err := l.call(ctx, http.MethodPost, "/_sim/reset", func(io.Reader) error { return nil }); err != nil {
			return nil, err
		}
	}
	l.puts++
	due := make([]time.Time, int(float64(rate)*lasts.Seconds()))
	a := &arrivals{}
	next := make(chan int, len(due)) // the schedule never waits
	var clients sync.WaitGroup
	var mu sync.Mutex
	for range loadClients {
		clients.Go(func() {
			for i := range next {
				late := time.Since(due[i])
				err := l.post(ctx, i)
				took := time.Since(due[i])
				mu.Lock()
				if err != nil {
					a.refused++
					a.why = firstOf(a.why, err)
				} else {
					a.accepted, a.late = append(a.accepted, took), append(a.late, late)
				}
				mu.Unlock()
			}
		})
	}
	schedule(ctx, rate, due, next)
	clients.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := l.drain(ctx, due, a); err != nil {
		return nil, err
	}
	for _, sorted := range [][]time.Duration{a.accepted, a.called, a.late} {
		slices.Sort(sorted)
	}
	return a, nil
}

func firstOf(first, later error) error {
	if first != nil {
		return first
	}
	return later
}

// schedule releases requests at the rate.
func schedule(ctx context.Context, rate int, due []time.Time, next chan<- int) {
	defer close(next)
	begun := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range due {
		due[i] = begun.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(due[i]); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		next <- i
	}
}

// tokenPrefix is followed by the request's number and a colon.
func (l *load) tokenPrefix() string { return fmt.Sprintf("single-%d-", l.puts) }

// post sends one notification to a token of realistic length.
func (l *load) post(ctx context.Context, i int) error {
	priority := "normal"
	if l.high {
		priority = "high"
	}
	body := fmt.Sprintf(`{"to":{"tokens":["%s%d:%0130d"]},"priority":%q,"message":%s}`, l.tokenPrefix(), i, i, priority, message)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.api+"/v1/notifications", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := l.hc.Do(req)
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

// drain waits until the simulator has every notification that was accepted, or gets no more of them, and learns when it
// had each. Beside a batch only a look at all it has can tell, so there are few.
func (l *load) drain(ctx context.Context, due []time.Time, a *arrivals) error {
	every := 50 * time.Millisecond
	if l.high {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for had, since := -1, time.Now(); ; {
		has, err := l.has(ctx, due, a)
		switch {
		case err != nil:
			return err
		case has != had:
			had, since = has, time.Now()
		}
		if has >= len(a.accepted) || time.Since(since) > drainPatience {
			return l.calls(ctx, due, a)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// has is how many of the notifications the simulator has.
func (l *load) has(ctx context.Context, due []time.Time, a *arrivals) (int, error) {
	if !l.high {
		return l.accepted(ctx)
	}
	err := l.calls(ctx, due, a)
	return len(a.called), err
}

// calls learns from the simulator when it had each message, before it began to take its time for the answer.
func (l *load) calls(ctx context.Context, due []time.Time, a *arrivals) error {
	seen := make([]bool, len(due))
	a.called = a.called[:0]
	err := l.call(ctx, http.MethodGet, "/_sim/accepted?body=false&token="+l.tokenPrefix(), func(body io.Reader) error {
		dec := json.NewDecoder(body)
		for {
			var row struct {
				Token string
				At    time.Time
			}
			if err := dec.Decode(&row); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			rest, ok := strings.CutPrefix(row.Token, l.tokenPrefix())
			number, _, _ := strings.Cut(rest, ":")
			i, err := strconv.Atoi(number)
			if !ok || err != nil || i >= len(due) || seen[i] {
				continue // another's, or once more
			}
			seen[i] = true
			a.called = append(a.called, row.At.Sub(due[i]))
		}
	})
	a.missing = max(0, len(a.accepted)-len(a.called))
	return err
}

// call asks the simulator.
func (l *load) call(ctx context.Context, method, path string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, l.sim+path, http.NoBody)
	if err != nil {
		return err
	}
	res, err := l.hc.Do(req)
	if err != nil {
		return fmt.Errorf("bench: simulator: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("bench: simulator: %s %s: %s", method, path, res.Status)
	}
	return read(res.Body)
}
