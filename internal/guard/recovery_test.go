package guard

import (
	"container/heap"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

// provider is an FCM that takes so much a second, whoever asks, and is away for a time.
type provider struct {
	start  time.Time
	away   push.Code // its answer from down to up
	down   time.Duration
	up     time.Duration
	before float64   // requests that it takes a second
	after  float64   // the same, once it is back
	over   push.Code // its answer to what is more

	mu      sync.Mutex
	rnd     *rand.Rand
	rate    float64 // of requests
	at      time.Duration
	asked   []int // by second
	taken   []int
	refused []int // as too many
}

func newProvider(before, after float64, over push.Code) *provider {
	return &provider{start: time.Now(), before: before, after: after, over: over, rnd: rand.New(rand.NewPCG(8, 9))}
}

func (p *provider) since() time.Duration { return time.Since(p.start) }

// answer is that to a first attempt, or to a later one.
func (p *provider) answer(again bool) push.Code {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.since()
	second := int(now / time.Second)
	for len(p.asked) <= second {
		p.asked, p.taken, p.refused = append(p.asked, 0), append(p.taken, 0), append(p.refused, 0)
	}
	p.asked[second]++
	if now >= p.down && now < p.up {
		return p.away
	}
	capacity := p.before
	if now >= p.up {
		capacity = p.after
	}
	// Each request has the same chance, as with many machines behind one address.
	const over = 0.1 // seconds
	p.rate = p.rate*math.Exp(-(now-p.at).Seconds()/over) + 1/over
	p.at = now
	if p.rnd.Float64()*p.rate > capacity {
		p.refused[second]++
		return p.over
	}
	p.taken[second]++
	switch n := p.rnd.IntN(1000); { // what every list has
	case again:
	case n < 12:
		return push.CodeFCMQuotaExceeded // a device's own
	case n < 20:
		return push.CodeFCMInternal
	case n < 40:
		return push.CodeFCMUnregistered
	}
	return push.CodeSent
}

// sum adds up what was counted in some seconds.
func sum(counts []int, from, to time.Duration) (n float64) {
	for s := int(from / time.Second); s < int(to/time.Second) && s < len(counts); s++ {
		n += float64(counts[s])
	}
	return n
}

// dispatchers send to p until end: each has a guard of its own, so many places, and more
// first attempts than it can make. What fails comes again.
func dispatchers(t *testing.T, p *provider, n, places int, perSecond float64, end time.Duration) (rigs []*rig) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		g := setup(t, func(c *Config) { c.PerSecond = perSecond })
		d := &sender{rig: g, p: p, rnd: rand.New(rand.NewPCG(uint64(i), 3)), id: i * 10_000_000}
		rigs = append(rigs, g)
		for range places {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				for p.since() < end {
					d.send(d.pick())
				}
			})
		}
	}
	wg.Wait()
	return rigs
}

// sender is one dispatcher.
type sender struct {
	*rig
	p *provider

	mu     sync.Mutex
	rnd    *rand.Rand
	again  items
	picked int
	id     int
}

// pick returns what is due, else a new recipient.
func (d *sender) pick() item {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.picked++; d.picked%2 == 0 && len(d.again) > 0 && d.again[0].due <= d.p.since() {
		return heap.Pop(&d.again).(item) //nolint:forcetypeassert // the heap holds nothing else
	}
	d.id++
	return item{id: d.id, attempt: 1, traffic: TrafficLive}
}

func (d *sender) send(x item) {
	const latency = 50 * time.Millisecond
	patience := 15 * time.Second
	if x.traffic == TrafficRetry {
		patience = 2 * time.Second
	}
	ticket, err := d.Admit(context.Background(), Ask{Traffic: x.traffic, To: recipient(x.id), Patience: patience})
	if off, ok := errors.AsType[*Deferred](err); ok {
		d.later(x, off.Until.Sub(d.p.start))
		return
	}
	code := d.p.answer(x.attempt > 1)
	time.Sleep(latency)
	ticket.Done(code, 0)
	if code.Class() == push.ClassPermanent || code == push.CodeSent {
		return
	}
	if !code.Unreached() {
		x.attempt++
		x.traffic = TrafficRetry
	}
	d.mu.Lock()
	wait := Backoff{}.Next(x.attempt-1, code, 0, d.rnd)
	d.mu.Unlock()
	d.later(x, d.p.since()+wait)
}

func (d *sender) later(x item, due time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x.due = due
	heap.Push(&d.again, x)
}

// Ten seconds after FCM is back the rate is what it was before, however long and in
// whichever way it was away, and however many dispatchers share the quota: and then it
// is not asked for more than it takes.
func TestRecovery(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		code push.Code
		last time.Duration
		n    int
	}{
		{"30 s of errors", push.CodeFCMUnavailable, 30 * time.Second, 1},
		{"5 min of errors", push.CodeFCMInternal, 5 * time.Minute, 1},
		{"30 s out of reach", push.CodeNetRefused, 30 * time.Second, 1},
		{"5 min out of reach", push.CodeNetRefused, 5 * time.Minute, 1},
		{"30 s of errors, four dispatchers", push.CodeFCMUnavailable, 30 * time.Second, 4},
		{"5 min of errors, four dispatchers", push.CodeFCMUnavailable, 5 * time.Minute, 4},
		{"5 min out of reach, four dispatchers", push.CodeNetRefused, 5 * time.Minute, 4},
	}[:raced.Rounds(7)] {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const quota, warm, after = 1000, 40 * time.Second, 20 * time.Second
				capacity := float64(quota)
				if tc.n == 1 {
					capacity *= 2 // the dispatcher itself keeps to the quota
				}
				p := newProvider(capacity, capacity, push.CodeFCMQuotaExceeded)
				p.away, p.down, p.up = tc.code, warm, warm+tc.last
				dispatchers(t, p, tc.n, 100, quota, p.up+after)
				rate := sum(p.taken, warm-20*time.Second, warm) / 20
				back := p.up
				for back < p.up+after-2*time.Second && sum(p.taken, back, back+2*time.Second) < 0.9*2*rate {
					back += time.Second
				}
				then := sum(p.taken, p.up+10*time.Second, p.up+after) / 10
				asked, over := sum(p.asked, p.up, p.up+after), sum(p.refused, p.up, p.up+after)
				t.Logf("%.0f a second before, nine tenths of it after %v, %.0f from 10 s on; of %.0f requests %.0f were too many; %.0f in the outage",
					rate, back-p.up, then, asked, over, sum(p.asked, p.down, p.up))
				if rate < 0.7*quota {
					t.Errorf("only %.0f a second before the outage", rate)
				}
				least := 0.9
				if tc.n > 1 {
					least = 0.8 // what they share moves up and down, by a half
				}
				if back-p.up > 8*time.Second || then < least*rate {
					t.Errorf("nine tenths of %.0f a second after %v, %.0f from 10 s on", rate, back-p.up, then)
				}
				if over > asked/7 {
					t.Errorf("%.0f of %.0f requests were too many", over, asked)
				}
			})
		})
	}
}

// An FCM that comes back weaker than it was is asked for little more than it takes,
// whichever way it says so.
func TestRecoveryOfAHalf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		over push.Code
		n    int
	}{
		{"503", push.CodeFCMUnavailable, 1},
		{"429", push.CodeFCMQuotaExceeded, 1},
		{"503, four dispatchers", push.CodeFCMUnavailable, 4},
		{"429, four dispatchers", push.CodeFCMQuotaExceeded, 4},
	}[:raced.Rounds(4)] {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const capacity, warm, last, after = 1000, 30 * time.Second, 30 * time.Second, 40 * time.Second
				p := newProvider(capacity, capacity/2, tc.over)
				p.away, p.down, p.up = push.CodeFCMUnavailable, warm, warm+last
				dispatchers(t, p, tc.n, 100, capacity, p.up+after)
				// It takes some seconds to find out.
				const half, found = capacity / 2, 5 * time.Second
				most := func(from, to time.Duration) (n float64) {
					for at := from; at < to; at += time.Second {
						n = max(n, sum(p.asked, at, at+time.Second))
					}
					return n
				}
				end := p.up + time.Minute
				early, late := most(p.up, p.up+found), most(p.up+found, end)
				asked, taken := sum(p.asked, p.up, end), sum(p.taken, p.up+2*found, end)/30
				t.Logf("%.0f requests in 40 s, at most %.0f a second, and %.0f from 5 s on; it took %.0f a second from 10 s on",
					asked, early, late, taken)
				if early > 2.5*half || late > 1.6*half || asked > 1.3*half*after.Seconds() {
					t.Errorf("%.0f requests in 40 s, %.0f in a second, %.0f from 5 s on: it bears %d a second", asked, early, late, half)
				}
				if taken < 0.7*half {
					t.Errorf("it took %.0f a second from 10 s on", taken)
				}
			})
		})
	}
}
