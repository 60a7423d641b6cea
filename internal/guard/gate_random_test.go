package guard

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

// The breaker opens for sick codes only, whatever the order and the number of
// answers; every ticket that was handed out and back leaves nothing behind.
func TestBreakerOpensForSickCodesOnly(t *testing.T) {
	t.Parallel()
	type step struct {
		code    push.Code
		n       int
		traffic Traffic
		abandon bool
		wait    time.Duration
	}
	var well []push.Code
	for _, f := range push.Codes() {
		if !f.Sick {
			well = append(well, f.Code)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				code:    rapid.SampledFrom(well).Draw(t, "code"),
				n:       rapid.IntRange(1, 50).Draw(t, "n"),
				traffic: rapid.SampledFrom(Traffics()).Draw(t, "traffic"),
				abandon: rapid.IntRange(0, 9).Draw(t, "abandon") == 0,
				wait:    time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "wait")),
			}
		}), 1, 40).Draw(rt, "steps")
		var path []BreakerState
		var s State
		synctest.Test(t, func(t *testing.T) {
			g := setup(t, func(c *Config) { c.QuotaRow = 1000 })
			for _, st := range steps {
				for range st.n {
					ticket, err := g.Admit(t.Context(), Ask{Traffic: st.traffic, To: g.next()})
					switch {
					case err != nil: // the pace: 429 slow it
						time.Sleep(time.Second)
					case st.abandon:
						ticket.Abandon()
					default:
						ticket.Done(st.code, 0)
					}
				}
				time.Sleep(st.wait)
			}
			path, s = g.path(), g.State()
		})
		if len(path) != 0 || s.Breaker != BreakerClosed || s.InFlight != 0 || s.Sick != 0 {
			rt.Fatalf("went to %v: %+v", path, s)
		}
	})
}

// With answers of every kind the books still balance, changes form one chain,
// no request is made before its time, and an outage that ends is over soon.
func TestBreakerChain(t *testing.T) {
	t.Parallel()
	codes := push.Codes()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		sickness := rapid.Float64Range(0, 1).Draw(rt, "sickness")
		var fault string
		synctest.Test(t, func(t *testing.T) {
			g := setup(t, func(c *Config) { c.OpenAfter.Many = 5 })
			r := rand.New(rand.NewPCG(seed, 0))
			var held []Ticket
			for range 400 {
				before := g.State()
				ticket, err := g.Admit(t.Context(), Ask{Traffic: Traffic(r.IntN(kinds)), To: recipient(r.IntN(300))})
				if err == nil {
					held = append(held, ticket)
					if ticket.traffic == TrafficLive && before.Breaker == BreakerOpen && time.Now().Before(before.Until) {
						fault = "a request passed an open breaker"
					}
				}
				if got := g.State().InFlight; got != len(held) {
					fault = "in flight does not match the tickets held"
				}
				if len(held) > 0 && r.IntN(3) > 0 {
					i := r.IntN(len(held))
					code := push.CodeSent
					if r.Float64() < sickness {
						code = codes[r.IntN(len(codes))].Code
					}
					held[i].Done(code, time.Duration(r.Int64N(int64(20*time.Second))))
					held = slices.Delete(held, i, i+1)
				}
				time.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
			}
			for _, ticket := range held {
				ticket.Abandon()
			}
			if g.State().InFlight != 0 {
				fault = "requests left in flight"
			}
			at := BreakerClosed
			for _, c := range g.changes {
				if c.From != at || c.To == at || (c.To == BreakerOpen) == c.Until.IsZero() || c.Cause.Sick() != (c.To == BreakerOpen) {
					fault = "the changes do not form a chain"
				}
				at = c.To
			}
			time.Sleep(time.Hour) // longer than any Retry-After
			for range 200 {
				if ticket, err := g.Admit(t.Context(), Ask{Traffic: TrafficLive, To: g.next()}); err == nil {
					ticket.Done(push.CodeSent, 0)
				}
				time.Sleep(100 * time.Millisecond)
			}
			if g.breakers() != [kinds]BreakerState{} || g.State().Traffic[TrafficReplay].Throttle != 10_000 {
				fault = "it did not recover"
			}
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}
