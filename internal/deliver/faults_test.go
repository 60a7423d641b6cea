package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

var (
	errThrottled = errors.New("throttled, three times")
	errLost      = errors.New("the answer got lost")
)

// faults decorate a port: a call is refused, or made without its answer coming
// back, or just takes long. They stop when the outage is over.
type faults struct {
	throttled, lost, slow float64       // shares of the calls
	slowest               time.Duration // of the slow ones
	away                  time.Duration // until then, nothing is taken
	until                 time.Duration // 0: for ever

	mu    sync.Mutex
	rand  *rand.Rand
	begun time.Time
}

func (f *faults) draw() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rand.Float64()
}

func (f *faults) over() bool { return f.until > 0 && time.Since(f.begun) > f.until }

// before is what becomes of a call on its way: an error means that it does not arrive.
func (f *faults) before(ctx context.Context) error {
	throttled, slow, takes := f.draw(), f.draw(), time.Duration(f.draw()*float64(f.slowest))
	since := time.Since(f.begun)
	switch {
	case f.over():
	case f.away > 0 && since > 300*time.Millisecond && since < f.away:
		sleep(ctx, time.Second)
		return errAway
	case throttled < f.throttled:
		sleep(ctx, 300*time.Millisecond) // the SDK's own tries
		return errThrottled
	case slow < f.slow && !sleep(ctx, takes):
		return ctx.Err()
	}
	return nil
}

// after is what becomes of a call's answer.
func (f *faults) after(err error) error {
	if f.draw() < f.lost && !f.over() {
		return errLost
	}
	return err
}

func (f *faults) call(ctx context.Context, effect func(context.Context) error) error {
	if err := f.before(ctx); err != nil {
		return err
	}
	return f.after(effect(ctx))
}

// around is a ledger behind faults, as a process that may be killed sees it.
func (f *faults) around(store ledgertest.Store, p *process) ledgertest.Around {
	faulty := ledgertest.Around{Store: store, Before: func(ctx context.Context, _ string) error { return f.before(ctx) }, Do: func(
		_ string, effect func() error,
	) error {
		return f.after(effect())
	}}
	return ledgertest.Around{Store: faulty, Do: func(_ string, effect func() error) error { return p.call(effect) }}
}

// post is a queue in memory, behind faults.
type post struct {
	f          *faults
	visibility time.Duration

	mu   sync.Mutex
	next int
	held map[string]*posted
}

type posted struct {
	worker.Message
	due time.Time
}

func (p *post) Send(ctx context.Context, msgs []worker.Outgoing) error {
	return p.f.call(ctx, func(context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, m := range msgs {
			p.next++
			id := strconv.Itoa(p.next)
			p.held[id] = &posted{worker.Message{ID: id, Body: m.Body, Group: m.Group, SentAt: time.Now()}, time.Now().Add(m.Delay)}
		}
		return nil
	})
}

func (p *post) Receive(ctx context.Context, limit int, wait time.Duration) (got []worker.Message, err error) {
	const every = 100 * time.Millisecond
	for end := time.Now().Add(wait); ; {
		err := p.f.call(ctx, func(context.Context) error { got = p.take(limit); return nil })
		if err != nil {
			return nil, err // what was taken is invisible all the same, as with SQS
		}
		if len(got) > 0 || time.Now().After(end) {
			return got, nil
		}
		if !sleep(ctx, every) {
			return nil, ctx.Err()
		}
	}
}

func (p *post) take(limit int) (got []worker.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := 1; n <= p.next && len(got) < limit; n++ { // in the order of sending, so that a run can be repeated
		m, ok := p.held[strconv.Itoa(n)]
		if !ok || m.due.After(time.Now()) {
			continue
		}
		m.Receives++
		m.Receipt, m.due = fmt.Sprintf("%s.%d", m.ID, m.Receives), time.Now().Add(p.visibility)
		got = append(got, m.Message)
	}
	return got
}

func (p *post) each(ctx context.Context, msgs []worker.Message, effect func(m *posted)) error {
	return p.f.call(ctx, func(context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		failed := map[int]error{}
		for i := range msgs {
			if m, ok := p.held[msgs[i].ID]; ok && m.Receipt == msgs[i].Receipt {
				effect(m)
			} else {
				failed[i] = push.ErrNotFound
			}
		}
		if len(failed) > 0 {
			return &worker.BatchError{Failed: failed}
		}
		return nil
	})
}

func (p *post) Delete(ctx context.Context, msgs []worker.Message) error {
	return p.each(ctx, msgs, func(m *posted) { delete(p.held, m.ID) })
}

func (p *post) Extend(ctx context.Context, msgs []worker.Message, visibility time.Duration) error {
	return p.each(ctx, msgs, func(m *posted) { m.due = time.Now().Add(visibility) })
}

func (p *post) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held) == 0
}

// storm is a batch that two processes send while stores and queue have faults.
type storm struct {
	name          string
	ledger, queue *faults
	fcm           *faults
	lost          atomic.Int64 // answers of FCM
	kills         int          // of processes, a second apart
	most          int          // repeats, apart from those that FCM's lost answers are to blame for
}

func storms() []*storm {
	const killed = 10 * (50 + 50) // a window and a checkpoint of every chunk in hand
	return []*storm{
		{name: "nothing fails"},
		{name: "the ledger throttles 30 %", ledger: &faults{throttled: 0.3}},
		{name: "the ledger loses 10 % of its answers", ledger: &faults{lost: 0.1}},
		{name: "the ledger is slow", ledger: &faults{slow: 0.2, slowest: 3 * time.Second}},
		{name: "the ledger is away for 50 s", ledger: &faults{away: 50 * time.Second}},
		{name: "the queue throttles 30 % and loses 10 %", queue: &faults{throttled: 0.3, lost: 0.1}},
		{
			name: "everything at once", most: 100, ledger: &faults{throttled: 0.3, lost: 0.1, slow: 0.2, slowest: 3 * time.Second},
			queue: &faults{throttled: 0.3, lost: 0.1, slow: 0.2, slowest: 3 * time.Second},
		},
		{name: "4 kills", kills: 4, most: 4 * killed},
		{
			name: "everything at once, and 4 kills", kills: 4, most: 4*killed + 100,
			ledger: &faults{throttled: 0.3, lost: 0.1, slow: 0.2, slowest: 3 * time.Second},
			queue:  &faults{throttled: 0.3, lost: 0.1, slow: 0.2, slowest: 3 * time.Second}, fcm: &faults{throttled: 0.1, lost: 0.02},
		},
	}
}

// TestStorms: whatever fails, every recipient has one outcome in the end, and
// what was sent twice is little and flagged.
func TestStorms(t *testing.T) {
	t.Parallel()
	for _, s := range storms() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				repeats, flagged, took := s.play(t)
				t.Logf("%s: %d repeats, %d of them for lost answers of FCM, %d flagged, %v", s.name, repeats, s.lost.Load(), flagged,
					took.Round(time.Second))
				if most := s.most + int(s.lost.Load()); repeats > most || flagged > 0 && most == 0 {
					t.Errorf("%d repeats, at most %d are bearable; %d flagged", repeats, most, flagged)
				}
			})
		})
	}
}

func (s *storm) play(t *testing.T) (repeats, flagged int, took time.Duration) {
	t.Helper()
	const chunks, each = 25, 400
	begun := time.Now()
	if s.ledger == nil {
		s.ledger = &faults{}
	}
	if s.queue == nil {
		s.queue = &faults{}
	}
	s.ledger.rand, s.ledger.begun = rand.New(rand.NewPCG(1, 1)), begun
	s.queue.rand, s.queue.begun = rand.New(rand.NewPCG(2, 2)), begun
	queue := &post{f: s.queue, visibility: 30 * time.Second, held: map[string]*posted{}}
	dead := &post{f: &faults{rand: rand.New(rand.NewPCG(3, 3))}, held: map[string]*posted{}}
	r := setup(t, each, func(r *rig) { r.change(func(n *push.Notification) { n.Progress.Pages = chunks }) })
	r.Close()
	if s.fcm != nil {
		s.fcm.rand = rand.New(rand.NewPCG(5, 5))
	}
	r.cfg.MaxAttempts = 10
	r.fcm.latency = 50 * time.Millisecond
	all := []push.Chunk{r.chunk}
	for i := range chunks - 1 {
		all = append(all, r.another(i+1, each))
	}
	for _, c := range all {
		id := c.Ref.String()
		queue.held[id] = &posted{Message: worker.Message{Body: r.encode(c), Group: "acme"}}
		queue.next++
		m := queue.held[id]
		m.ID = strconv.Itoa(queue.next)
		queue.held[m.ID] = m
		delete(queue.held, id)
	}
	var running sync.WaitGroup
	ctx, cut := context.WithCancel(t.Context())
	defer cut()
	started := 0
	start := func() (p *process, w *worker.Worker) {
		cfg := r.cfg
		p = &process{}
		p.ctx, p.kill = context.WithCancel(ctx)
		p.left.Store(1 << 40)
		cfg.Owner, cfg.Window, cfg.Rand = "p"+strconv.Itoa(started), 50, rand.New(rand.NewPCG(4, uint64(started)))
		cfg.Guard = newGuard(t, nil) //nolint:contextcheck // a guard ends with the test
		started++
		books, own := s.ledger.around(r.store, p), stormQueue{queue, p}
		cfg.Notifications, cfg.Lines, cfg.Sender = books, books, stormFCM{r.fcm, s.fcm, p, &s.lost}
		cfg.Chunks, cfg.Dead = map[push.Lane]worker.Sink{push.LaneBulk: own}, dead
		d, err := deliver.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w = worker.New(worker.Config{Name: "bulk", Concurrency: 10, Visibility: queue.visibility, Wait: worker.MaxWait}, own, dead, d,
			zap.NewNop(), worker.NewMetrics(prometheus.NewRegistry()))
		running.Go(func() {
			w.Run(p.ctx)
			d.Close()
		})
		return p, w
	}
	first, one := start()
	_, two := start()
	for kills := 0; !queue.empty(); {
		time.Sleep(100 * time.Millisecond)
		if kills < s.kills && time.Since(begun) > time.Duration(2*kills+1)*time.Second/2 {
			kills++
			first.left.Store(0)
			first.kill()
			first, one = start()
		}
		if time.Since(begun) > time.Hour {
			t.Fatal("does not end")
		}
	}
	took = time.Since(begun)
	one.Drain()
	two.Drain()
	running.Wait()
	for _, c := range all {
		l := r.lineOf(c.Ref)
		for i, cell := range l.Cells {
			n := r.fcm.accepted[c.Recipients[i].Address.Value.Reveal()]
			repeats += max(0, n-1)
			if cell.PossibleDuplicate() {
				flagged++
			}
			if cell.Code() != push.CodeSent || n == 0 || n > 1 && !cell.PossibleDuplicate() {
				t.Errorf("%s of %s: accepted %d times", cell.Code(), c.Ref, n)
			}
		}
	}
	return repeats, flagged, took
}
