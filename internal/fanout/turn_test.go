package fanout_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/batch/batchtest"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// slowPages are read in a while, and know how many are being read.
type slowPages struct {
	*batchtest.Memory

	mu        sync.Mutex
	now, most int
}

func (p *slowPages) Page(ctx context.Context, id push.ID, kind push.PageKind, n int) ([]byte, error) {
	p.mu.Lock()
	p.now++
	p.most = max(p.most, p.now)
	p.mu.Unlock()
	wait := time.NewTimer(time.Second)
	<-wait.C
	p.mu.Lock()
	p.now--
	p.mu.Unlock()
	return p.Memory.Page(ctx, id, kind, n)
}

// TestFewPagesAtOnce: however many tasks are in hand, memory has few pages of uploads.
func TestFewPagesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pages = 20
		r := setup(t)
		slow := &slowPages{Memory: r.pages}
		f, err := fanout.New(fanout.Config{
			Notifications: r.ledger, Lines: r.ledger, Pages: slow, Devices: r.devices, Tasks: r.tasks,
			Chunks: map[push.Lane]worker.Sink{push.LaneHigh: r.high, push.LaneBulk: r.bulk}, Log: zap.NewNop(),
			Metrics: fanout.NewMetrics(prometheus.NewRegistry(), outcomes(prometheus.NewRegistry())), Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		all := make([][]push.Recipient, pages)
		for i := range all {
			all[i] = tokens(1+i*10, 10)
		}
		r.batch(t, all...)
		var wg sync.WaitGroup
		for i := range pages {
			body, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: batID, Page: i})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				for {
					v := look(f.Handle(context.Background(), worker.Message{ID: "m", Body: body, Group: "acme"}, nil))
					if v.after == 0 {
						return
					}
					<-time.NewTimer(v.after).C // it goes back to the queue for so long
				}
			})
		}
		wg.Wait()
		if most := max(2, runtime.GOMAXPROCS(0)); slow.most > most || slow.most < 2 {
			t.Errorf("%d pages were in hand at once, want %d", slow.most, most)
		}
		if n := len(r.ledger.AllLines()); n != pages {
			t.Errorf("%d chunks are planned, want one of each page", n)
		}
	})
}
