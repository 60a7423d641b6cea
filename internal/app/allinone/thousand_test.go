package allinone

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
)

// What the benchmark sends: to so many apps, each with a credential of its own, and so many
// recipients at a time.
const manyApps, inOne = 1000, 50

// BenchmarkThousandApps runs a whole belfry up beside its simulator, in one process, and
// compares sending for a thousand apps with sending as much for one, in pairs. It
// reports what an app adds to the memory of the process when it was sent for (simulator
// included), how long a start with their credentials and the first sends for all of them take, and the
// medians of the ratios of rates and of processor time.
//
//	go test ./internal/app/allinone -run '^$' -bench ThousandApps -benchtime 3x
func BenchmarkThousandApps(b *testing.B) {
	in := install(b)
	each(b, manyApps, func(i int) error {
		if _, err := in.api.CreateApp(b.Context(), client.AppRequest{Name: appOf(i)}); err != nil {
			return err
		}
		_, err := in.api.PutCredential(b.Context(), appOf(i), in.sim.ServiceAccountOf(fmt.Sprintf("project-%d", i)), client.CredentialOptions{})
		return err
	})
	in.stop()
	started := time.Now()
	in.start(sealKey)
	b.ReportMetric(time.Since(started).Seconds(), "s-start")
	in.put("shop", "shop-project", client.CredentialOptions{})
	in.push(b, "warm-up", inOne, func(int) string { return "shop" })
	before := resident(b)
	begun := time.Now()
	in.push(b, "first", 1, appOf)
	b.ReportMetric(time.Since(begun).Seconds(), "s-first-sends")
	b.ReportMetric(float64(resident(b)-before)/1024/manyApps, "KiB/app")
	var ratios, work []float64
	one, many := cost{}, cost{}
	for round := range b.N { // in pairs, whose order changes: others use the machine too
		app := [2]func(int) string{func(int) string { return "shop" }, appOf}
		var took [2]cost
		for k := range took {
			which := (k + round) % 2
			begun := spent()
			in.push(b, fmt.Sprintf("round-%d-%d", round, which), inOne, app[which])
			took[which] = spent().less(begun)
		}
		one, many = one.plus(took[0]), many.plus(took[1])
		ratios = append(ratios, took[0].wall.Seconds()/took[1].wall.Seconds())
		work = append(work, took[0].cpu.Seconds()/took[1].cpu.Seconds())
	}
	sends := float64(b.N * manyApps * inOne)
	b.ReportMetric(sends/one.wall.Seconds(), "sends/s-one-app")
	b.ReportMetric(sends/many.wall.Seconds(), "sends/s-1000-apps")
	b.ReportMetric(one.cpu.Seconds()/sends*1e6, "µs-cpu/send-one-app")
	b.ReportMetric(many.cpu.Seconds()/sends*1e6, "µs-cpu/send-1000-apps")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(work), "ratio-cpu")
}

// cost is what something took: of time, and of the process's processor time.
type cost struct{ wall, cpu time.Duration }

var epoch = time.Now()

// spent returns what was spent so far.
func spent() cost {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return cost{time.Since(epoch), time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}

func (c cost) less(o cost) cost { return cost{c.wall - o.wall, c.cpu - o.cpu} }
func (c cost) plus(o cost) cost { return cost{c.wall + o.wall, c.cpu + o.cpu} }

func median(x []float64) float64 {
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

func appOf(i int) string { return "app-" + strconv.Itoa(i) }

// each runs f a number of times, a few at a time.
func each(b *testing.B, n int, f func(i int) error) {
	b.Helper()
	var all sync.WaitGroup
	const atOnce = 8
	for worker := range atOnce {
		all.Go(func() {
			for i := worker; i < n; i += atOnce {
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// push sends a thousand notifications of so many recipients each, and waits until all are sent.
func (in *installation) push(b *testing.B, what string, recipients int, app func(i int) string) {
	b.Helper()
	sent := in.sim.Stats().Accepted
	each(b, manyApps, func(i int) error {
		to := make([]string, recipients)
		for r := range to {
			to[r] = fmt.Sprintf("%s-%d-%d", what, i, r)
		}
		_, err := in.api.Send(b.Context(), client.Request{
			App: app(i), To: &client.Target{Tokens: to}, Message: json.RawMessage(`{"notification":{"title":"Hi"}}`), Priority: client.PriorityBulk,
		})
		return err
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for in.sim.Stats().Accepted < sent+uint64(manyApps*recipients) {
		select {
		case <-b.Context().Done():
			b.Fatal("not all were sent")
		case <-tick.C:
		}
	}
}

// resident returns the process's resident memory, in bytes, without what it could give back.
func resident(b *testing.B) int64 {
	b.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc here")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
