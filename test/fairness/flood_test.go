package fairness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/queue"
	"github.com/belfry-push/belfry/internal/guard"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
	"github.com/belfry-push/belfry/test/raced"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A tenth of production: 1,000 requests a second instead of 10,000, chunks of 35 rows instead
// of 350, and 100,000 recipients instead of a million, so that the backlog is as many
// seconds of the quota as there.
const (
	perSecond = 1000
	rows      = 35
	backlog   = 100_000
	quiet     = 999
	places    = 26 // chunks in hand
	window    = 60 // requests of a chunk under way
	latency   = 50 * time.Millisecond
	trickle   = perSecond / 10 // messages of all quiet tenants a second
)

// lasts is how long quiet tenants send.
var lasts = time.Duration(raced.Rounds(10)) * time.Second

// site is a lane of a dispatcher: queue, worker, and in place of deliver what is essential of
// it, one asker for leave a chunk and a window of requests.
type site struct {
	queue *queue.Queue
	guard *guard.Guard

	mu    sync.Mutex
	sent  map[string]int     // requests by tenant
	dwell map[string][]dwell // by tenant
}

// dwell is how long a message took from the queue to FCM's last answer, and when it was sent.
type dwell struct {
	at   time.Time
	took time.Duration
}

// arrived returns how many messages of quiet tenants did.
func (s *site) arrived() (n int) {
	for group, d := range s.dwell {
		if group != "noisy" {
			n += len(d)
		}
	}
	return n
}

func newSite(t *testing.T) *site {
	t.Helper()
	file, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), queue.Migrations(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	w := queue.NewWatch(file, zap.NewNop())
	t.Cleanup(func() {
		w.Close()
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{sent: map[string]int{}, dwell: map[string][]dwell{}}
	if s.queue, err = queue.Open(t.Context(), w, "bulk", queue.Config{Visibility: 30 * time.Second}); err != nil {
		t.Fatal(err)
	}
	cfg := guard.DefaultConfig("shared")
	cfg.PerSecond, cfg.Ramp = perSecond, 0
	if s.guard, err = guard.New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), nil, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// Handle sends a chunk of as many rows as the body says.
func (s *site) Handle(ctx context.Context, m worker.Message, draining <-chan struct{}) worker.Verdict {
	n, err := strconv.Atoi(string(m.Body))
	if err != nil {
		return worker.Dead(push.CodeUndecodable, err.Error())
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	seats := make(chan struct{}, window)
	for row := range n {
		seats <- struct{}{}
		ask := guard.Ask{
			Traffic: guard.TrafficLive, Tenant: m.Group, Patience: 15 * time.Second, Stop: draining,
			To: push.Address{Kind: push.KindToken, Value: push.Token(m.ID + "." + strconv.Itoa(row))},
		}
		ticket, err := s.guard.Admit(ctx, ask)
		if err != nil {
			return worker.HandBack()
		}
		wg.Go(func() {
			time.Sleep(latency)
			ticket.Done(push.CodeSent, 0)
			s.mu.Lock()
			s.sent[m.Group]++
			s.mu.Unlock()
			<-seats
		})
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dwell[m.Group] = append(s.dwell[m.Group], dwell{m.SentAt, time.Since(m.SentAt)})
	return worker.Ack()
}

func (s *site) send(t *testing.T, group string, n, chunks int) {
	t.Helper()
	for chunks > 0 {
		batch := make([]worker.Outgoing, min(chunks, worker.MaxBatch))
		for i := range batch {
			batch[i] = worker.Outgoing{Body: strconv.AppendInt(nil, int64(n), 10), Group: group}
		}
		if err := s.queue.Send(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		chunks -= len(batch)
	}
}

// run works on the site: quiet tenants trickle, and after a while the noisy one comes with
// everything, if there is one. It returns how long the messages that quiet tenants sent
// since then took, in order, and how many were sent in all.
func (s *site) run(t *testing.T, flood bool, after time.Duration) (took []time.Duration, sent int) {
	t.Helper()
	cfg := worker.Config{Name: "bulk", Concurrency: places, Visibility: 30 * time.Second, Wait: 20 * time.Second}
	w := worker.New(cfg, s.queue, s.queue, s, zap.NewNop(), worker.NewMetrics(prometheus.NewRegistry()))
	var wg sync.WaitGroup
	begun := time.Now()
	if after == 0 && flood {
		s.send(t, "noisy", rows, backlog/rows)
	}
	wg.Go(func() { w.Run(t.Context()) })
	for i := 0; time.Since(begun) < after+lasts; i++ {
		if after > 0 && i == int(after.Seconds()*trickle) && flood {
			s.send(t, "noisy", rows, backlog/rows)
		}
		s.send(t, fmt.Sprint("quiet-", i%quiet), 1, 1)
		sent++
		time.Sleep(time.Second / trickle)
	}
	time.Sleep(time.Second)
	w.Drain()
	wg.Wait()
	for group, d := range s.dwell {
		if group != "noisy" {
			for _, one := range d {
				if one.at.Sub(begun) >= after {
					took = append(took, one.took)
				}
			}
		}
	}
	slices.Sort(took)
	return took, sent
}

// One tenant queues a million while 999 trickle: the quiet ones' p95 from queue to FCM's
// answer is at most twice what it is without, and the noisy one gets at least 70 % of
// what they leave, also if it comes first and has the places.
func TestFloodOfOneTenant(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, flood bool, after time.Duration) (took []time.Duration, noisy int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			var sent int
			took, sent = s.run(t, flood, after)
			if all := s.arrived(); all != sent {
				t.Errorf("%d of %d messages of quiet tenants arrived", all, sent)
			}
			noisy = s.sent["noisy"]
		})
		return took, noisy
	}
	p95 := func(took []time.Duration) time.Duration { return took[(len(took)-1)*95/100] }
	idle, _ := run(t, false, time.Second)
	for _, tc := range []struct {
		name  string
		after time.Duration
		most  time.Duration // of the p95
		worst time.Duration
	}{
		{"while others trickle", time.Second, 2 * p95(idle), time.Second},
		{"before anybody else", 0, 2 * p95(idle), time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			took, noisy := run(t, true, tc.after)
			spare := perSecond*int((lasts+time.Second).Seconds()) - len(took)
			worst := took[len(took)-1]
			t.Logf("%d quiet tenants, %d messages: p95 %v, longest %v; idle p95 %v; the noisy one got %.1f %% of what they left", quiet, len(took),
				p95(took).Round(time.Millisecond), worst.Round(time.Millisecond), p95(idle).Round(time.Millisecond), float64(noisy)/float64(spare)*100)
			if got := p95(took); got > tc.most {
				t.Errorf("p95 %v, at most %v expected", got, tc.most)
			}
			if worst > tc.worst {
				t.Errorf("the longest took %v, at most %v expected", worst, tc.worst)
			}
			if noisy*10 < spare*7 {
				t.Errorf("the noisy tenant got %d of %d", noisy, spare)
			}
		})
	}
}
