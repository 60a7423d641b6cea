package transporttest

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/h2/h2test"
	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// ledger is what a server did with each request.
type ledger struct {
	mu   sync.Mutex
	took map[string]int
}

func (l *ledger) take(id string) {
	l.mu.Lock()
	l.took[id]++
	l.mu.Unlock()
}

// serve answers most requests and, now and then, refuses one, resets one, says
// goodbye or hangs up, with answers in any order.
func (l *ledger) serve(c *h2test.Conn, r *rand.Rand) {
	var open []uint32
	last := uint32(0)
	for {
		req, err := c.ReadRequest()
		if err != nil {
			return
		}
		switch r.IntN(40) {
		case 0:
			_ = c.WriteRSTStream(req.ID, http2.ErrCodeRefusedStream)
			continue
		case 1:
			l.take(string(req.Body))
			_ = c.WriteRSTStream(req.ID, http2.ErrCodeInternal)
			continue
		case 2: // takes what came before, not this one
			_ = c.WriteGoAway(last, http2.ErrCodeNo, nil)
			for _, id := range open {
				_ = c.Respond(id, 200, "")
			}
			return
		case 3:
			l.take(string(req.Body))
			return
		}
		l.take(string(req.Body))
		last = max(last, req.ID)
		open = append(open, req.ID)
		// Up to three stay open, some of them for ever.
		for len(open) > 3 || len(open) > 0 && r.IntN(3) > 0 {
			i := r.IntN(len(open))
			if c.Respond(open[i], 200, "") != nil {
				return
			}
			open = append(open[:i], open[i+1:]...)
		}
	}
}

// testVerdicts sends through a peer that misbehaves in every allowed way
// and compares the transport's verdicts with what the peer did: no request arrives
// twice, an answered one did arrive, and a refused one was not taken.
func (s *suite) testVerdicts(t *testing.T) {
	t.Helper()
	l := &ledger{took: make(map[string]int)}
	var seed uint64
	var mu sync.Mutex
	cl := s.scripted(t, Options{Connections: 4, MaxStreams: 20, Timeout: 200 * time.Millisecond}, func(c *h2test.Conn) {
		mu.Lock()
		seed++
		r := rand.New(rand.NewPCG(1, seed))
		mu.Unlock()
		l.serve(c, r)
	})
	h := header("http")
	verdicts := make(map[string]error)
	var wg sync.WaitGroup
	for worker := range 40 {
		wg.Go(func() {
			var resp transport.Response
			for i := range 100 {
				id := strconv.Itoa(worker*1000 + i)
				err := cl.Do(t.Context(), h, []byte(id), &resp)
				mu.Lock()
				verdicts[id] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	kinds := map[string]int{}
	for id, err := range verdicts {
		took := l.took[id]
		e, failed := errors.AsType[*transport.Error](err)
		switch {
		case took > 1:
			t.Errorf("request %s arrived %d times", id, took)
		case err == nil:
			kinds["answered"]++
			if took != 1 {
				t.Errorf("request %s was answered but never taken", id)
			}
		case !failed:
			t.Errorf("request %s: %v", id, err)
		default:
			kinds[e.Kind.String()]++
			if e.Kind == transport.Refused && took != 0 {
				t.Errorf("request %s was taken, the transport says %v", id, err)
			}
		}
	}
	if kinds["answered"] == 0 || kinds["refused"] == 0 || kinds["reset"] == 0 {
		t.Errorf("verdicts %v: the test did not reach every kind", kinds)
	}
	t.Logf("verdicts %v", kinds)
}
