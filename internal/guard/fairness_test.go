package guard

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/raced"
)

// weights are fixed weights; a tenant without one has weight 1.
type weights map[string]int

func (w weights) Weight(tenant string) int { return w[tenant] }

// crowd are tenants that share a credential.
type crowd struct {
	*rig

	mu     sync.Mutex
	served map[string]int
	waited map[string][]time.Duration
}

func newCrowd(t *testing.T, perSecond float64, w Weights) *crowd {
	t.Helper()
	return &crowd{
		rig:    setup(t, func(c *Config) { c.PerSecond, c.Weights = perSecond, w }),
		served: map[string]int{}, waited: map[string][]time.Duration{},
	}
}

// ask makes one request of a tenant, as soon as it may.
func (c *crowd) ask(ctx context.Context, tenant string, traffic Traffic) bool {
	begun := time.Now()
	ticket, err := c.Admit(ctx, Ask{Traffic: traffic, Tenant: tenant, To: c.next(), Patience: 15 * time.Second})
	if err != nil {
		return false
	}
	ticket.Done(push.CodeSent, 0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served[tenant]++
	c.waited[tenant] = append(c.waited[tenant], time.Since(begun))
	return true
}

// flood keeps n requests of a tenant waiting, each sender pausing after an answer, as the
// window of a chunk does.
func (c *crowd) flood(ctx context.Context, wg *sync.WaitGroup, tenant string, n int, pause time.Duration) {
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				c.ask(ctx, tenant, TrafficLive)
				time.Sleep(pause)
			}
		})
	}
}

// jain is Jain's index of fairness: 1 if all are equal, 1/n if one has all.
func jain(x []float64) float64 {
	var sum, squares float64
	for _, v := range x {
		sum += v
		squares += v * v
	}
	return sum * sum / (float64(len(x)) * squares)
}

func percentile(d []time.Duration, p int) time.Duration {
	slices.Sort(d)
	return d[(len(d)-1)*p/100]
}

// Tenants with the same demand get the same, although they have unequal numbers of chunks
// in hand, and all of the pace is used.
func TestFairnessAtEqualDemand(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		perSecond float64
		tenants   int
	}{{1000, 50}, {10_000, 20}, {20, 5}}[:raced.Rounds(3)] {
		t.Run(fmt.Sprintf("%d tenants at %v a second", tc.tenants, tc.perSecond), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, tc.perSecond, nil)
				const seconds = 20
				ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
				defer cancel()
				var wg sync.WaitGroup
				for i := range tc.tenants { // the pause is the moment until a chunk asks for its next row
					c.flood(ctx, &wg, strconv.Itoa(i), 1+i%25, 20*time.Microsecond)
				}
				wg.Wait()
				var got []float64
				total := 0
				for i := range tc.tenants {
					got = append(got, float64(c.served[strconv.Itoa(i)]))
					total += c.served[strconv.Itoa(i)]
				}
				index := jain(got)
				t.Logf("Jain index %.4f; least %.0f, most %.0f requests a tenant; %.1f %% of the pace used",
					index, slices.Min(got), slices.Max(got), float64(total)/tc.perSecond/seconds*100)
				if index < 0.95 {
					t.Errorf("Jain index %.4f, want 0.95", index)
				}
				if float64(total) < 0.97*tc.perSecond*seconds {
					t.Errorf("%d requests: the pace is not used up", total)
				}
			})
		})
	}
}

// Tenants with endless demand get what their weights say, to within 5 %.
func TestFairnessByWeight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := weights{"one": 1, "two": 2, "five": 5, "ten": 10, "hundred": 100}
		c := newCrowd(t, 5000, w)
		seconds := raced.Rounds(60)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for tenant := range w { // the lighter ones have more chunks in hand
			c.flood(ctx, &wg, tenant, 30-w[tenant]/5, 20*time.Microsecond)
		}
		wg.Wait()
		sum, total := 0, 0
		for tenant := range w {
			sum, total = sum+w[tenant], total+c.served[tenant]
		}
		for _, tenant := range []string{"one", "two", "five", "ten", "hundred"} {
			share, want := float64(c.served[tenant])/float64(total), float64(w[tenant])/float64(sum)
			t.Logf("weight %3d: %6d requests, %6.2f %%, by weight %6.2f %%, off by %+.2f %%", w[tenant], c.served[tenant], share*100, want*100,
				(share/want-1)*100)
			if math.Abs(share/want-1) > 0.05 {
				t.Errorf("weight %d: share %.4f, want %.4f", w[tenant], share, want)
			}
		}
	})
}

// One tenant floods while 999 trickle: these wait at most twice as long as without it,
// or until the next request is due, and the flood gets what they leave.
func TestFairnessOfAFlood(t *testing.T) {
	t.Parallel()
	const perSecond, quiet = 5000, 999
	seconds := raced.Rounds(20)
	run := func(t *testing.T, flood bool) (p95 time.Duration, noisy, others int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(t, perSecond, nil)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
			defer cancel()
			var wg sync.WaitGroup
			if flood {
				c.flood(ctx, &wg, "noisy", 200, 0)
			}
			for i := range quiet {
				wg.Go(func() { // one request a second each
					tenant := fmt.Sprint("quiet-", i)
					time.Sleep(time.Duration(i) * 1009 * time.Microsecond)
					for ctx.Err() == nil {
						c.ask(ctx, tenant, TrafficHigh)
						time.Sleep(time.Second)
					}
				})
			}
			wg.Wait()
			var waits []time.Duration
			for tenant, w := range c.waited {
				if tenant != "noisy" {
					waits, others = append(waits, w...), others+len(w)
				}
			}
			p95, noisy = percentile(waits, 95), c.served["noisy"]
		})
		return p95, noisy, others
	}
	idle, _, _ := run(t, false)
	p95, noisy, others := run(t, true)
	spare := perSecond*seconds - others
	t.Logf("%d quiet tenants: p95 wait %v, %v without the flood; the flood got %.1f %% of what they left", quiet, p95, idle,
		float64(noisy)/float64(spare)*100)
	if due := time.Second / perSecond; p95 > 2*idle+2*due {
		t.Errorf("p95 %v, at most %v expected", p95, 2*idle+2*due)
	}
	if noisy < spare*7/10 {
		t.Errorf("the flood got %d requests of %d spare ones", noisy, spare)
	}
}

// Who gives up waiting leaves its turn to the next, and nothing of the pace is lost.
func TestFairnessWhenSomeGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 100, nil)
		const seconds = 10
		ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		c.flood(ctx, &wg, "patient", 10, 0)
		for range 10 {
			wg.Go(func() {
				for ctx.Err() == nil {
					short, stop := context.WithTimeout(ctx, 15*time.Millisecond)
					c.ask(short, "hasty", TrafficLive)
					stop()
				}
			})
		}
		wg.Wait()
		t.Logf("patient %d, hasty %d", c.served["patient"], c.served["hasty"])
		if total := c.served["patient"] + c.served["hasty"]; total < 95*seconds {
			t.Errorf("%d requests in %d s at 100 a second", total, seconds)
		}
		if c.served["patient"] < 45*seconds {
			t.Errorf("the patient got %d", c.served["patient"])
		}
	})
}
