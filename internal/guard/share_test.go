package guard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/sharedrate"
	"github.com/belfry-push/belfry/test/raced"
)

var _ Quota = (*sharedrate.Bucket)(nil)

// project is an FCM project that several dispatchers send to, and the store that they share, whose calls take some
// milliseconds, as DynamoDB's do.
type project struct {
	*testing.T

	docs  documenttest.Memory
	down  atomic.Bool
	limit int64 // requests a second
	grace time.Duration

	mu     sync.Mutex
	begun  time.Time
	sent   map[time.Duration]int // by tenth of a second
	by     map[string]int
	quota  func(n int) bool // whether FCM lets a request through, the n-th
	denied int
	total  int
}

func newProject(t *testing.T, perSecond int64) *project {
	t.Helper()
	return &project{T: t, limit: perSecond, begun: time.Now(), sent: map[time.Duration]int{}, by: map[string]int{}}
}

func (p *project) store() document.Store {
	return documenttest.Around{Store: &p.docs, Do: func(_ string, effect func() error) error {
		time.Sleep(3*time.Millisecond + rand.N(4*time.Millisecond))
		if p.down.Load() {
			return errors.New("the table is away")
		}
		return effect()
	}}
}

// answer is FCM's answer to a request.
func (p *project) answer(who string) (push.Code, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total++; p.quota != nil && !p.quota(p.total) {
		p.denied++
		return push.CodeFCMQuotaExceeded, 0
	}
	p.sent[time.Since(p.begun)/(100*time.Millisecond)]++
	p.by[who]++
	return push.CodeSent, 0
}

// between returns the requests of a span of time.
func (p *project) between(from, to time.Duration) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, k := range p.sent {
		if at >= from/(100*time.Millisecond) && at < to/(100*time.Millisecond) {
			n += k
		}
	}
	return n
}

// holds says how much of the quota a span of time saw, and that it was no more than 1 % above and no less than a share.
func (p *project) holds(what string, from, to time.Duration, least float64) {
	p.Helper()
	got, due := p.between(from, to), float64(p.limit)*(to-from).Seconds()
	p.Logf("%s: %.2f %% of the quota; %v", what, 100*float64(got)/due, p.by)
	if share := float64(got) / due; share > 1.01 || share < least {
		p.Errorf("%s: %d requests, the quota is %.0f", what, got, due)
	}
}

// dispatcher starts a process, until ctx ends. Then it gives back what it has, unless it dies.
func (p *project) dispatcher(ctx context.Context, wg *sync.WaitGroup, l life) {
	p.Helper()
	set, err := sharedrate.New(sharedrate.Config{
		Documents: p.store(), Process: l.name, Log: zap.NewNop(), Lease: 5 * time.Second, Grace: p.grace, Keep: time.Hour,
	})
	if err != nil {
		p.Fatal(err)
	}
	cfg := DefaultConfig("shared")
	cfg.PerSecond, cfg.Ramp = float64(p.limit), 0
	burst := p.limit / 2
	cfg.Quota, err = set.Bucket("fcm", sharedrate.Limit{Tokens: 60*p.limit - burst, Per: time.Minute, Burst: burst, Recover: cfg.RecoverIn})
	if err != nil {
		p.Fatal(err)
	}
	g, err := New(cfg, nil, rand.New(rand.NewPCG(1, 2)), zap.NewNop(), nil, nil) //nolint:contextcheck // its Close ends it
	if err != nil {
		p.Fatal(err)
	}
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if !l.dies {
			set.Run(keeping)
		}
	}()
	wg.Go(func() {
		var all sync.WaitGroup
		for i := range l.senders {
			all.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					ask := Ask{Traffic: TrafficLive, Tenant: fmt.Sprint("t", i%3), Patience: 15 * time.Second, To: recipient(n)}
					ticket, err := g.Admit(ctx, ask)
					if err != nil {
						continue
					}
					ticket.Done(p.answer(l.name))
					time.Sleep(max(l.pause, 100*time.Microsecond))
				}
			})
		}
		all.Wait()
		g.Close()
		stop()
		<-ended
	})
}

// during runs f for each of the dispatchers' lives, all told from the beginning, and waits until they have ended.
func (p *project) during(lives ...life) {
	p.Helper()
	var wg sync.WaitGroup
	for _, l := range lives {
		wg.Go(func() {
			time.Sleep(l.from)
			ctx, cancel := context.WithTimeout(p.Context(), l.to-l.from)
			defer cancel()
			var own sync.WaitGroup
			p.dispatcher(ctx, &own, l)
			own.Wait()
		})
	}
	wg.Wait()
}

type life struct {
	name     string
	senders  int
	from, to time.Duration
	dies     bool
	pause    time.Duration // of a sender after an answer
}

// Dispatchers that each could use all of the quota hold it together, and use it; each has its part.
func TestDispatchersHoldTheQuota(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	cases := []struct {
		name  string
		lives []life
	}{
		{"one dies", []life{{"a", 9, 0, minute, false, 0}, {"b", 9, 0, minute / 2, true, 0}}},
		{"two", []life{{"a", 9, 0, minute, false, 0}, {"b", 9, 0, minute, false, 0}}},
		{"one starts", []life{{"a", 9, 0, minute, false, 0}, {"b", 9, minute / 2, minute, false, 0}}},
		{"one stops", []life{{"a", 9, 0, minute, false, 0}, {"b", 9, 0, minute / 2, false, 0}}},
		{"one wants less", []life{{"a", 9, 0, minute, false, 0}, {"b", 1, 0, minute, false, 20 * time.Millisecond}}},
	}
	for _, c := range cases[:raced.Rounds(len(cases))] {
		name, lives := c.name, c.lives
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProject(t, 200)
				p.during(lives...)
				p.holds(name, 0, minute, 0.95)
				if a, b := p.by["a"], p.by["b"]; name == "two" && (a < b*3/4 || b < a*3/4) || name == "one wants less" && b < 2000 {
					t.Errorf("%d and %d", a, b)
				}
				most := 0
				for _, n := range p.sent {
					most = max(most, n)
				}
				t.Logf("most in 100 ms: %d", most)
			})
		})
	}
}

// While the table of the bucket is away, both go on with the share that they had, for as long as it takes; one that comes
// meanwhile and knows of no share takes little.
func TestDispatchersGoOnWithTheirShares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProject(t, 200)
		p.grace = 5 * time.Second
		time.AfterFunc(10*time.Second, func() { p.down.Store(true) })
		time.AfterFunc(40*time.Second, func() { p.down.Store(false) })
		p.during(life{"a", 9, 0, time.Minute, false, 0}, life{"b", 9, 0, time.Minute, false, 0})
		p.holds("away", 15*time.Second, 40*time.Second, 0.95)
		p.holds("back", 41*time.Second, 59*time.Second, 0.95)
	})
	synctest.Test(t, func(t *testing.T) {
		p := newProject(t, 200)
		p.down.Store(true)
		p.during(life{"a", 9, 0, 20 * time.Second, false, 0})
		p.limit /= 10
		p.holds("without a share", time.Second, 20*time.Second, 0.9)
	})
}

// If FCM lets less through than was set, dispatchers find out together: few of their requests are refused.
func TestDispatchersYieldTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProject(t, 200)
		level, at := 0.0, time.Now() // FCM's own bucket, half of what was set
		p.quota = func(int) bool {
			level = min(10, level+time.Since(at).Seconds()*100)
			at = time.Now()
			if level < 1 {
				return false
			}
			level--
			return true
		}
		span := time.Duration(raced.Rounds(12)) * 15 * time.Second
		p.during(life{"a", 9, 0, span, false, 0}, life{"b", 9, 0, span, false, 0})
		took, refused := float64(p.total-p.denied)/100/span.Seconds(), float64(p.denied)/float64(p.total)
		t.Logf("%.1f %% of what FCM takes, %.1f %% refused; %v", 100*took, 100*refused, p.by)
		if refused > 0.05 || took < 0.7 {
			t.Errorf("%d of %d refused", p.denied, p.total)
		}
	})
}

// A process that sends little asks for nothing.
func TestTrickleAsksForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProject(t, 10_000)
		s := newShare(refusing{t}, float64(p.limit))
		defer s.stop()
		for now := time.Duration(0); now < time.Minute; now += 50 * time.Millisecond {
			if !s.take(now) {
				t.Fatalf("refused at %v", now)
			}
		}
	})
}

// refusing is a quota that nobody should ask.
type refusing struct{ *testing.T }

func (r refusing) Take(int64) bool                   { r.Error("asked for tokens"); return false }
func (r refusing) Wait(context.Context, int64) error { r.Error("asked for tokens"); return nil }
func (refusing) Share() (float64, bool)              { return 1, false }
func (refusing) Cut(float64, time.Duration)          {}
