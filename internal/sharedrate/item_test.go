package sharedrate

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever processes ask, give back, spend, forget and let lapse: in every span of time no more is spent than the burst
// and what the rate gives, and the bucket with its leases never holds more than the burst.
func TestNeverMoreThanBurstAndRate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := Limit{
			Tokens: rapid.SampledFrom([]int64{0, 1, 7, 100, 10_000}).Draw(t, "tokens"),
			Per:    rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "per"),
			Burst:  rapid.Int64Range(1, 20_000).Draw(t, "burst"),
		}
		const lease = 5 * time.Second
		type process struct {
			left  int64
			until time.Duration
		}
		type spent struct {
			at time.Duration
			n  int64
		}
		i, now := newItem("e", limit), time.Duration(0)
		ps := make([]process, rapid.IntRange(1, 5).Draw(t, "processes"))
		var log []spent
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "passes"))
			k := rapid.IntRange(0, len(ps)-1).Draw(t, "process")
			p, id := &ps[k], strconv.Itoa(k)
			if now >= p.until {
				p.left = 0
			}
			switch rapid.IntRange(0, 9).Draw(t, "does") {
			case 0:
				i.giveBack(id, p.left, now, limit)
				*p = process{}
			case 1:
				*p = process{} // it dies
			case 2, 3, 4:
				a := ask{
					id: id, at: now, left: p.left, lease: lease, need: rapid.Int64Range(0, 50).Draw(t, "need"),
					block: rapid.Int64Range(0, limit.Burst).Draw(t, "block"), wants: rapid.Float64Range(0, 1000).Draw(t, "wants"),
				}
				p.left += i.exchange(a, limit)
				p.until = now + lease
			default:
				n := rapid.Int64Range(0, p.left).Draw(t, "spends")
				p.left -= n
				log = append(log, spent{now, n})
			}
			if held := i.Burst*micro - i.room(); i.Level < 0 || i.Level+held > limit.Burst*micro {
				t.Fatalf("level %d and leases %d, of %d", i.Level, held, limit.Burst*micro)
			}
		}
		for from := range log {
			var sum int64
			for _, s := range log[from:] {
				sum += s.n
				if most := float64(limit.Burst) + limit.rate()*(s.at-log[from].at).Seconds(); float64(sum) > most+1e-3 {
					t.Fatalf("%d spent in %v, of at most %f", sum, s.at-log[from].at, most)
				}
			}
		}
	})
}

// Nobody gets more than he wants of a scarce rate, what he leaves goes to the others, and all of it is given.
func TestFairRate(t *testing.T) {
	t.Parallel()
	limit := Limit{Tokens: 100, Per: time.Second, Burst: 100}
	for _, c := range []struct {
		mine, want float64
		others     []float64
	}{
		{500, 100, nil},
		{500, 50, []float64{500}},
		{500, 90, []float64{10}},
		{10, 33.3, []float64{500, 500}},
		{500, 45, []float64{500, 10}},
	} {
		i := item{}
		for k, o := range c.others {
			i.Members = append(i.Members, member{ID: strconv.Itoa(k), Wants: o})
		}
		if got := i.fairRate(ask{id: "me", wants: c.mine}, limit); got < c.want-0.1 || got > c.want+0.1 {
			t.Errorf("%v beside %v: %v, want %v", c.mine, c.others, got, c.want)
		}
	}
}

// What an allotment has given stays given when it is changed; a rate's burst is cut at once.
func TestResize(t *testing.T) {
	t.Parallel()
	day := newItem("e", Limit{Burst: 100})
	day.exchange(ask{id: "a", block: 80, need: 80, lease: time.Hour}, Limit{Burst: 100})
	for _, c := range []struct{ burst, left int64 }{{200, 120}, {100, 20}, {50, -30}, {100, 20}} {
		if day.advance(0, Limit{Burst: c.burst}); day.Level != c.left*micro {
			t.Errorf("of %d are left %d, want %d", c.burst, day.Level/micro, c.left)
		}
	}
	rate := newItem("e", Limit{Tokens: 10, Per: time.Second, Burst: 100})
	if rate.advance(0, Limit{Tokens: 1, Per: time.Second, Burst: 10}); rate.Level != 10*micro {
		t.Errorf("a cut burst leaves %d", rate.Level)
	}
}

// An item that sixteen processes share fits one write unit of DynamoDB, and what later versions add is ignored.
func TestItemIsSmall(t *testing.T) {
	t.Parallel()
	i := newItem("bkt_0190163d-8694-739b-aea5-966c26f8ad91", Limit{Burst: maxTokens})
	for k := range 16 {
		i.Members = append(i.Members, member{
			fmt.Sprintf("i-%d.1", k), 10_000, 3600 * time.Second, 3599 * time.Second, 3599 * time.Second, 1234.5,
		})
	}
	data, err := json.Marshal(i)
	if err != nil || len(data) > 1024-100 {
		t.Errorf("%d bytes, %v: %s", len(data), err, data)
	}
	var back item
	more := strings.ReplaceAll(string(data), ",1234.5]", `,1234.5,"later"]`)
	if err := json.Unmarshal([]byte(more), &back); err != nil || len(back.Members) != 16 || back.Members[3] != i.Members[3] {
		t.Errorf("%v, %v", back, err)
	}
}
