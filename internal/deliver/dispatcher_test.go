package deliver_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// dispatcher is a whole one: its lanes with so many places each, one guard, and the
// queues between them.
type dispatcher struct {
	*rig
	lanes  map[push.Lane]lane
	places sync.WaitGroup
	seq    int
	sent   map[string]time.Time // when a push was put on its queue
}

func (r *rig) dispatcher(g *guard.Guard, places map[push.Lane]int, end time.Time) *dispatcher {
	s := &dispatcher{rig: r, lanes: map[push.Lane]lane{}, sent: map[string]time.Time{}}
	for name, n := range places {
		l := r.lane(name, g, push.Chunk{})
		l.queue.msgs = nil
		s.lanes[name] = l
		for range n {
			s.places.Go(func() { l.work(r.tb, end) })
		}
	}
	return s
}

// work handles what comes to the lane's queue until the time is up, as a worker
// does with one of its places.
func (l *lane) work(tb testing.TB, until time.Time) {
	tb.Helper()
	for time.Now().Before(until) {
		m, wait, ok := l.queue.due()
		if !ok || wait > 0 {
			time.Sleep(200 * time.Millisecond)
			continue
		}
		v := look(l.Handle(tb.Context(), worker.Message{Body: m.Body}, nil))
		switch v.word {
		case "retry":
			body := m.Body
			if v.body != "" {
				body = []byte(v.body)
			}
			_ = l.queue.Send(tb.Context(), []worker.Outgoing{{Body: body, Delay: v.after}})
		case "ack":
		default:
			tb.Errorf("verdict %+v", v)
		}
	}
}

// put plans a chunk of n recipients of the kind and puts it on a lane's queue.
func (s *dispatcher) put(l push.Lane, n int, kind string, tune func(c *push.Chunk)) (names []string) {
	s.seq++
	c := s.another(s.seq, n)
	for i := range c.Recipients {
		value := kind + "-" + c.Recipients[i].Address.Value.Reveal()
		c.Recipients[i].Address.Value = push.Token(value)
		names = append(names, value)
	}
	if tune != nil {
		tune(&c)
	}
	_ = s.lanes[l].queue.Send(s.tb.Context(), []worker.Outgoing{{Body: s.encode(c)}})
	return names
}

// pushes puts single pushes on the high lane, one every so often.
func (s *dispatcher) pushes(every time.Duration, until time.Time) {
	for time.Now().Before(until) {
		for _, value := range s.put(push.LaneHigh, 1, "well", nil) {
			s.sent[value] = time.Now()
		}
		time.Sleep(every)
	}
}

// lags returns how long the pushes took to FCM, in order.
func (s *dispatcher) lags() (lags []time.Duration) {
	s.fcm.mu.Lock()
	defer s.fcm.mu.Unlock()
	for value, at := range s.sent {
		lag := time.Hour
		if s.fcm.accepted[value] > 0 {
			lag = s.fcm.at[value][len(s.fcm.at[value])-1].Sub(at)
		}
		lags = append(lags, lag)
	}
	slices.Sort(lags)
	return lags
}

// production returns a guard with the settings of production, but for the ramp.
func production(tb testing.TB) *guard.Guard {
	tb.Helper()
	cfg := guard.DefaultConfig("p")
	cfg.Ramp = 0
	g, err := guard.New(cfg, time.Now, rand.New(rand.NewPCG(3, 4)), zap.NewNop(), nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}
