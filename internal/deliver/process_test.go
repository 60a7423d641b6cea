package deliver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/deliver"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// death is when a process is killed: at its n-th call of any port, before or
// after the call's effect.
type death struct {
	N     int
	After bool
}

// process is the room in a process that may be killed: from then on every call
// fails, and what is under way ends.
type process struct {
	*deliver.Deliver
	left  atomic.Int64
	after bool
	ctx   context.Context //nolint:containedctx // lives as long as the process
	kill  context.CancelFunc
}

func (p *process) call(effect func() error) error {
	switch n := p.left.Add(-1); {
	case n < 0:
		return errKilled
	case n > 0:
		return effect()
	}
	if p.after {
		_ = effect()
	}
	p.kill()
	return errKilled
}

func (p *process) alive() bool { return p.ctx.Err() == nil }

// The ports as the process sees them.
type (
	mortalFCM struct {
		*fcm
		p *process
	}
	mortalQueue struct {
		*queue
		p *process
	}
)

// ledgerOf is the ledger as the process sees it.
func (r *rig) ledgerOf(p *process) ledgertest.Around {
	return ledgertest.Around{Store: r.store, Do: func(_ string, effect func() error) error { return p.call(effect) }}
}

func (m mortalFCM) Send(ctx context.Context, body []byte) (name string, err error) {
	return name, m.p.call(func() error { name, err = m.fcm.Send(ctx, body); return err })
}

func (m mortalQueue) Send(ctx context.Context, msgs []worker.Outgoing) error {
	return m.p.call(func() error { return m.queue.Send(ctx, msgs) })
}

// start makes a process that dies as told; the zero death is none.
func (r *rig) start(tb testing.TB, i int, d death) *process {
	tb.Helper()
	p := &process{after: d.After}
	p.ctx, p.kill = context.WithCancel(tb.Context())
	p.left.Store(int64(d.N))
	if d.N == 0 {
		p.left.Store(1 << 40)
	}
	cfg := r.cfg
	cfg.Owner = fmt.Sprintf("p%d", i)
	cfg.Guard, cfg.Rand = newGuard(tb, nil), rand.New(rand.NewPCG(5, uint64(i)))
	cfg.Notifications, cfg.Lines, cfg.Sender = r.ledgerOf(p), r.ledgerOf(p), mortalFCM{r.fcm, p}
	cfg.Chunks, cfg.Dead = map[push.Lane]worker.Sink{push.LaneBulk: mortalQueue{r.queue, p}}, mortalQueue{r.dead, p}
	p.Deliver = r.make(cfg)
	return p
}

// pump runs processes, one after the other as they are killed and always two at
// a time, until no message is left. It returns what went wrong.
func (r *rig) pump(tb testing.TB, deaths []death) (problem string) {
	tb.Helper()
	const visibility = 30 * time.Second
	var running sync.WaitGroup
	var inHand atomic.Int64
	var mu sync.Mutex
	alive := [2]*process{}
	started := 0
	pick := func(i int) *process {
		if alive[i] == nil || !alive[i].alive() {
			d := death{}
			if started < len(deaths) {
				d = deaths[started]
			}
			if alive[i] != nil {
				alive[i].Close()
			}
			alive[i] = r.start(tb, started, d)
			started++
		}
		return alive[i]
	}
	for turn := 0; problem == ""; {
		idle := inHand.Load() == 0 // asked first: a handler puts back before it ends
		m, wait, ok := r.queue.due()
		switch {
		case !ok && idle:
			for _, p := range alive {
				if p != nil {
					p.kill()
					p.Close()
				}
			}
			return problem
		case !ok || wait > 0:
			time.Sleep(max(time.Millisecond, min(wait, 50*time.Millisecond)))
			continue
		}
		if turn++; turn > 500 {
			problem = "does not end"
		}
		p := pick(turn % 2)
		inHand.Add(1)
		running.Go(func() {
			defer inHand.Add(-1)
			v := look(p.Handle(p.ctx, worker.Message{Body: m.Body}, nil))
			again := worker.Outgoing{Body: m.Body, Delay: visibility}
			switch {
			case !p.alive(), v.word == "leave":
			case v.word == "ack":
				return
			case v.word == "retry":
				again.Delay = v.after
			default:
				mu.Lock()
				defer mu.Unlock()
				problem = fmt.Sprintf("turn %d: %+v", turn, v)
				return
			}
			_ = r.queue.Send(tb.Context(), []worker.Outgoing{again})
		})
	}
	running.Wait()
	return problem
}
