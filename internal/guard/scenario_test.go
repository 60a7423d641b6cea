package guard

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

// world is a guard between senders and an FCM of the test's making.
type world struct {
	*rig

	fcm     func(id int, since time.Duration) push.Code // since the start
	latency time.Duration
	start   time.Time
	backoff Backoff

	mu       sync.Mutex
	rnd      *rand.Rand
	requests []time.Duration         // when FCM was asked
	taken    map[int]time.Duration   // when FCM took a recipient's message
	asked    map[int][]time.Duration // when it was sent
	dead     int
}

func newWorld(t *testing.T, perSecond float64, fcm func(id int, since time.Duration) push.Code) *world {
	t.Helper()
	return &world{
		rig: setup(t, func(c *Config) { c.PerSecond = perSecond }), fcm: fcm, latency: 50 * time.Millisecond, start: time.Now(),
		rnd:   rand.New(rand.NewPCG(5, 6)),
		taken: map[int]time.Duration{}, asked: map[int][]time.Duration{},
	}
}

func (w *world) since() time.Duration { return time.Since(w.start) }

// item is a recipient on a queue.
type item struct {
	id, attempt int
	traffic     Traffic
	high        bool // on the high lane
	due         time.Duration
}

// line is a queue with places for so many requests at a time, as a lane of a
// dispatcher has them.
type line struct {
	w        *world
	patience time.Duration
	places   chan struct{}
	news     chan struct{} // something was put; holds one
	mu       sync.Mutex
	items    items
	attempts int // at most
}

type items []item

func (q items) Len() int           { return len(q) }
func (q items) Less(i, j int) bool { return q[i].due < q[j].due }
func (q items) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *items) Push(x any)        { *q = append(*q, x.(item)) } //nolint:forcetypeassert // the heap holds nothing else
func (q *items) Pop() (x any) {
	*q, x = (*q)[:len(*q)-1], (*q)[len(*q)-1]
	return x
}

func (l *line) put(x item) {
	l.mu.Lock()
	heap.Push(&l.items, x)
	l.mu.Unlock()
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// get returns the next item that is due, or how long that takes.
func (l *line) get(now time.Duration) (x item, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.items) == 0:
		return x, time.Hour
	case l.items[0].due > now:
		return x, l.items[0].due - now
	}
	return heap.Pop(&l.items).(item), 0 //nolint:forcetypeassert // the heap holds nothing else
}

// line opens a lane of n places until end. What is put off or fails comes again
// when it may.
func (w *world) line(wg *sync.WaitGroup, n int, patience, end time.Duration) *line {
	l := &line{w: w, patience: patience, attempts: 8, places: make(chan struct{}, n), news: make(chan struct{}, 1)}
	wg.Go(func() {
		for w.since() < end {
			l.places <- struct{}{}
			x, wait := l.get(w.since())
			for ; wait > 0 && w.since() < end; x, wait = l.get(w.since()) {
				select {
				case <-time.After(min(wait, end-w.since())):
				case <-l.news:
				}
			}
			if wait > 0 {
				return
			}
			wg.Go(func() {
				l.send(x)
				<-l.places
			})
		}
	})
	return l
}

func (l *line) send(x item) {
	w, patience := l.w, l.patience
	if x.traffic == TrafficRetry {
		patience = min(patience, 2*time.Second)
	}
	if x.high && x.traffic != TrafficHigh {
		patience = 0
	}
	ticket, err := w.Admit(context.Background(), Ask{Traffic: x.traffic, To: recipient(x.id), Patience: patience})
	if d, ok := errors.AsType[*Deferred](err); ok {
		x.due = d.Until.Sub(w.start)
		if x.traffic == TrafficHigh {
			x.traffic = TrafficLive
		}
		l.put(x)
		return
	}
	now := w.since()
	code := w.fcm(x.id, now)
	w.mu.Lock()
	w.requests = append(w.requests, now)
	w.asked[x.id] = append(w.asked[x.id], now)
	w.mu.Unlock()
	time.Sleep(w.latency)
	ticket.Done(code, 0)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case code == push.CodeSent:
		w.taken[x.id] = w.since()
		return
	case code.Unreached():
	case x.attempt == l.attempts:
		w.dead++
		return
	default:
		x.attempt++
		if x.traffic != TrafficReplay {
			x.traffic = TrafficRetry
		}
	}
	x.due = w.since() + w.backoff.Next(x.attempt, code, 0, w.rnd)
	l.put(x)
}

// between counts the requests from one time to another.
func (w *world) between(from, to time.Duration) (n int) {
	for _, at := range w.requests {
		if at >= from && at < to {
			n++
		}
	}
	return n
}

// pushes sends single high pushes to healthy recipients from id on, one every so
// often, and returns how long each took from the door to FCM.
func (w *world) pushes(l *line, id int, every, end time.Duration) func() []time.Duration {
	first, made := id, map[int]time.Duration{}
	for w.since() < end {
		made[id] = w.since()
		l.put(item{id: id, attempt: 1, traffic: TrafficHigh, high: true, due: w.since()})
		id++
		time.Sleep(every)
	}
	return func() (took []time.Duration) {
		for i := first; i < id; i++ {
			at, ok := w.taken[i]
			if !ok {
				at = made[i] + time.Hour
			}
			took = append(took, at-made[i])
		}
		slices.Sort(took)
		return took
	}
}

// Any number of messages that always fail, wherever they wait, leaves healthy high
// pushes on time: 95 of 100 are with FCM within two seconds.
func TestAlwaysFailingMessagesHoldNobodyUp(t *testing.T) {
	t.Parallel()
	const failing, minutes = 1_000_000, 3
	for _, tc := range []struct {
		name    string
		n       int
		traffic Traffic // as which they come
		high    bool    // on the high lane
		every   time.Duration
		code    push.Code
	}{
		{"300 in a batch", 300, TrafficLive, false, time.Second, push.CodeFCMInternal},
		{"300 in a batch, little other traffic", 300, TrafficLive, false, 20 * time.Second, push.CodeFCMInternal},
		{"3,000 in a batch", 3000, TrafficLive, false, time.Second, push.CodeFCMInternal},
		{"3,000 in a batch, 503", 3000, TrafficLive, false, 3 * time.Second, push.CodeFCMUnavailable},
		{"3,000 retries", 3000, TrafficRetry, false, time.Second, push.CodeFCMInternal},
		{"3,000 retries on the high lane", 3000, TrafficRetry, true, time.Second, push.CodeFCMInternal},
		{"3,000 replayed letters", 3000, TrafficReplay, false, 2 * time.Second, push.CodeFCMInternal},
		{"1,000 on the high lane", 1000, TrafficHigh, true, time.Second, push.CodeFCMInternal},
		{"3,000 on the high lane", 3000, TrafficHigh, true, time.Second, push.CodeFCMInternal},
		{"3,000 on the high lane, many pushes", 3000, TrafficHigh, true, 50 * time.Millisecond, push.CodeFCMInternal},
		{"3,000 that time out", 3000, TrafficLive, false, time.Second, push.CodeNetTimeout},
		{"300 that are refused with 429", 300, TrafficLive, false, time.Second, push.CodeFCMQuotaExceeded},
	}[:raced.Rounds(12)] {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 10_000, func(id int, _ time.Duration) push.Code {
					if id >= failing {
						return tc.code
					}
					return push.CodeSent
				})
				const end = minutes * time.Minute
				var wg sync.WaitGroup
				high, bulk := w.line(&wg, 200, time.Second, end), w.line(&wg, 200, 15*time.Second, end)
				l := bulk
				if tc.high {
					l = high
				}
				time.Sleep(10 * time.Second)
				for i := range tc.n {
					l.put(item{id: failing + i, attempt: 1 + int(tc.traffic)/int(TrafficRetry), traffic: tc.traffic, high: tc.high, due: w.since()})
				}
				took := w.pushes(high, 0, tc.every, end-10*time.Second)
				wg.Wait()
				lags := took()
				p95 := lags[len(lags)*95/100]
				t.Logf("%d pushes: p50 %v, p95 %v, max %v; %d requests to those that fail, breaker moved %d times",
					len(lags), lags[len(lags)/2], p95, lags[len(lags)-1], len(w.requests)-len(lags), len(w.path()))
				if p95 > 2*time.Second {
					t.Errorf("p95 %v", p95)
				}
				if got := w.between(0, end); got < tc.n && tc.traffic != TrafficReplay {
					t.Errorf("only %d requests: those that fail were not all tried", got)
				}
			})
		})
	}
}

// A total outage costs few requests, nothing is lost, and 10 s after FCM is back
// the rate is what it was.
func TestTotalOutage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		code push.Code
		last time.Duration
		most int // requests in the outage
	}{
		{"20 s", push.CodeFCMUnavailable, 20 * time.Second, 350},
		{"3 min", push.CodeFCMUnavailable, 3 * time.Minute, 400},
		{"an hour", push.CodeFCMInternal, time.Hour, 1300},
		{"ten minutes out of reach", push.CodeNetRefused, 10 * time.Minute, 500},
	}[:raced.Rounds(4)] {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const down = 20 * time.Second
				up := down + tc.last
				w := newWorld(t, 1000, func(_ int, since time.Duration) push.Code {
					if since >= down && since < up {
						return tc.code
					}
					return push.CodeSent
				})
				end := up + 20*time.Second
				var wg sync.WaitGroup
				high, bulk := w.line(&wg, 200, time.Second, end), w.line(&wg, 60, 15*time.Second, end)
				for i := range 60_000 {
					bulk.put(item{id: 1_000_000 + i, attempt: 1, traffic: TrafficLive})
				}
				w.pushes(high, 0, 2*time.Second, end)
				wg.Wait()
				before, during := w.between(down-10*time.Second, down), w.between(down, up)
				back := w.between(up+10*time.Second, end)
				t.Logf("%d requests in 10 s before, %d in the outage, %d in the 10 s from 10 s after it; breaker moved %d times", before, during, back,
					len(w.path()))
				if during > tc.most {
					t.Errorf("%d requests in the outage, at most %d expected", during, tc.most)
				}
				if back < before*9/10 {
					t.Errorf("%d requests in ten seconds after it, %d before", back, before)
				}
				if w.dead > 0 {
					t.Errorf("%d given up", w.dead)
				}
			})
		})
	}
}

// A part of the answers is sick: everything is delivered at the rate that FCM
// bears, retries are not starved, and little is given up.
func TestPartialOutage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		share float64
		bears int           // requests a second; 0: any
		most  time.Duration // for nine of ten
		n     int
		dead  int // with 8 attempts share^8 of them are lost by chance
	}{
		{"two fifths", 0.4, 0, 70 * time.Second, 15_000, 40},
		{"a half", 0.5, 0, 100 * time.Second, 5000, 50},
		{"four fifths", 0.8, 0, 12 * time.Minute, 3000, 700},
		{"it bears 300 a second", 0, 300, 80 * time.Second, 15_000, 100},
	}[:raced.Rounds(4)] {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				chance := rand.New(rand.NewPCG(7, 8))
				var mu sync.Mutex
				var second, n int
				w := newWorld(t, 10_000, func(_ int, since time.Duration) push.Code {
					mu.Lock()
					defer mu.Unlock()
					if s := int(since / time.Second); s != second {
						second, n = s, 0
					}
					if n++; chance.Float64() < tc.share || tc.bears > 0 && n > tc.bears {
						return push.CodeFCMUnavailable
					}
					return push.CodeSent
				})
				var wg sync.WaitGroup
				bulk := w.line(&wg, 200, 15*time.Second, 90*time.Minute)
				for i := range tc.n {
					bulk.put(item{id: i, attempt: 1, traffic: TrafficLive})
				}
				wg.Wait()
				var times []time.Duration
				for _, at := range w.taken {
					times = append(times, at)
				}
				slices.Sort(times)
				t.Logf("%d delivered: a half in %v, 90 %% in %v, the last in %v; %d given up, %d requests, breaker moved %d times",
					len(times), times[len(times)/2], times[len(times)*9/10], times[len(times)-1], w.dead, len(w.requests), len(w.path()))
				if len(times)+w.dead != tc.n {
					t.Fatalf("%d of %d have no end", tc.n-len(times)-w.dead, tc.n)
				}
				if at := times[len(times)*9/10]; at > tc.most {
					t.Errorf("nine of ten took %v, at most %v expected", at, tc.most)
				}
				if w.dead > tc.dead {
					t.Errorf("%d given up, at most %d expected", w.dead, tc.dead)
				}
				if most := 3 * len(times); tc.bears > 0 && len(w.requests) > most {
					t.Errorf("%d requests for what %d would have done, at most %d expected", len(w.requests), len(times), most)
				}
			})
		})
	}
}
