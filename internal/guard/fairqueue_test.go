package guard

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Two tenants that both wait all the time get what their weights say, to within the
// credit of both, whatever others come and go meanwhile.
func TestFairQueueSharesByWeight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var l fairQueue
		weight := map[string]int{}
		for i := range 6 {
			weight[strconv.Itoa(i)] = rapid.IntRange(1, mostWeight).Draw(t, "weight")
		}
		served := map[string]int{}
		join := func(tenant string) *place {
			traffic := rapid.SampledFrom(Traffics()).Draw(t, "traffic")
			return l.join(tenant, weight[tenant], traffic)
		}
		join("0")
		join("1")
		var others []*place
		for range rapid.IntRange(1, 500).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				others = append(others, join(strconv.Itoa(rapid.IntRange(2, 5).Draw(t, "tenant"))))
			case 1:
				if len(others) > 0 {
					l.leave(others[0])
					others = others[1:]
				}
			default:
				p := l.next()
				served[p.flow.tenant]++
				for i, o := range others {
					if o == p {
						others = append(others[:i:i], others[i+1:]...)
						break
					}
				}
				if p.flow.tenant < "2" {
					join(p.flow.tenant)
				}
			}
			if want := 2 + len(others); l.places != want {
				t.Fatalf("%d wait, want %d", l.places, want)
			}
		}
		a, b := float64(weight["0"]), float64(weight["1"])
		lag := math.Abs(float64(served["0"])/a - float64(served["1"])/b)
		if most := 1/a + 1/b; lag > most+1e-9 {
			t.Fatalf("weights %v and %v: served %d and %d, which is %v apart, at most %v allowed", a, b, served["0"], served["1"], lag, most)
		}
	})
}

// A tenant that comes late is next but for one request of each tenant that waits,
// however many of those there are.
func TestFairQueueServesWhoComesLateAtOnce(t *testing.T) {
	t.Parallel()
	var l fairQueue
	const tenants, each = 20, 1000
	for i := range tenants {
		for range each {
			l.join(fmt.Sprint("noisy-", i), 1, TrafficHigh)
		}
	}
	for range tenants * each / 2 {
		l.next()
	}
	late := l.join("late", 1, TrafficReplay)
	for i := range tenants + 1 {
		if l.next() == late {
			return
		}
		if i == tenants {
			t.Fatalf("not served within %d requests", i+1)
		}
	}
}

// Within a tenant, high traffic goes first, and the others in the order in which they came.
func TestFairQueueWithinATenant(t *testing.T) {
	t.Parallel()
	var l fairQueue
	for _, traffic := range []Traffic{TrafficReplay, TrafficLive, TrafficRetry, TrafficHigh, TrafficHigh} {
		l.join("a", 1, traffic)
	}
	for i, want := range []Traffic{TrafficHigh, TrafficHigh, TrafficReplay, TrafficLive, TrafficRetry} {
		if p := l.next(); p.traffic != want {
			t.Errorf("request %d is %s, want %s", i, p.traffic, want)
		}
	}
}

// A tenant whose requests wait one at a time gets its share although it is away for a
// moment after each, as long as that is no longer than credit.
func TestFairQueueCatchesUp(t *testing.T) {
	t.Parallel()
	var l fairQueue
	for range 10_000 {
		l.join("noisy", 1, TrafficLive)
	}
	served := map[string]int{}
	for range 100 { // each time, several are let go in one go
		l.join("single", 1, TrafficLive)
		for range 10 {
			served[l.next().flow.tenant]++
		}
		for range 8 { // then it is quick
			l.join("single", 1, TrafficLive)
			served[l.next().flow.tenant]++
		}
	}
	if got := served["single"]; got < 850 || got > 950 {
		t.Errorf("got %d of 1,800", got)
	}
}

// What is remembered of tenants that do not wait any more is bounded.
func TestFairQueueForgets(t *testing.T) {
	t.Parallel()
	var l fairQueue
	l.join("busy", 1, TrafficLive)
	for i := range 100_000 {
		l.join(fmt.Sprint("once-", i), mostWeight, TrafficLive)
		l.next()
		l.join("busy", 1, TrafficLive)
		l.next()
	}
	if n := len(l.flows); n > 200 {
		t.Errorf("%d tenants are remembered", n)
	}
}

// Refused traffic leaves the line, better traffic stays.
func TestFairQueueRefuses(t *testing.T) {
	t.Parallel()
	var l fairQueue
	var all []*place
	for i := range 3 {
		for _, traffic := range Traffics() {
			all = append(all, l.join(strconv.Itoa(i), 1, traffic))
		}
	}
	l.refuse(TrafficRetry)
	for _, p := range all {
		refused := len(p.told) == 1 && !(<-p.told).ok
		if refused != (p.traffic >= TrafficRetry) {
			t.Errorf("%s: refused %t", p.traffic, refused)
		}
	}
	for l.places > 0 {
		if p := l.next(); p.traffic >= TrafficRetry {
			t.Errorf("%s is let go", p.traffic)
		}
	}
}

func BenchmarkFairQueue(b *testing.B) {
	for _, tenants := range []int{1, 10, 1000, 100_000} {
		b.Run(strconv.Itoa(tenants), func(b *testing.B) {
			var l fairQueue
			names := make([]string, tenants)
			for i := range names {
				names[i] = fmt.Sprint("tenant-", i)
				l.join(names[i], 1+i%mostWeight, TrafficLive)
			}
			b.ReportAllocs()
			for b.Loop() {
				f := l.next().flow
				l.join(f.tenant, int(f.weight), TrafficLive)
			}
		})
	}
}
