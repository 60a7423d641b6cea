//go:build linux

package replay

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// letterCount is how many dead letters the benchmark works on; make bench-letters
// has a million.
var letterCount = flag.Int("letters", 20_000, "dead letters of BenchmarkDeadLetters")

const (
	benchTenant = "bench" // of letters that are read and not sent
	rounds      = 5       // of which the median is reported
)

// BenchmarkDeadLetters measures the programs on the embedded backend as an
// operator uses them: drain, groups, list, and a replay of up to 50,000 letters
// that a dispatcher sends to the simulator. Memory is the processes' peak. Rates
// per second of CPU time are what a busy machine can be judged by.
func BenchmarkDeadLetters(b *testing.B) {
	n := *letterCount
	sent := min(50_000, n/2)
	sim := commands.Simulator(b, 0)
	l := &losses{house: open(b), tokens: map[push.ID][]string{}, dead: map[string]bool{}}
	_, stop := l.startFaulty(sim)
	for turn := 0; l.letters < sent; turn++ {
		l.notification(min(chunkLosses, sent-l.letters), turn)
	}
	for id := range l.tokens {
		l.counts(id)
	}
	stop()
	l.strangers(n - sent)
	env := []string{"BELFRY_DATA=" + l.data, "BELFRY_LOG_FORMAT=json", "BELFRY_FCM_ENDPOINT=" + sim.Endpoint, "BELFRY_MAX_ATTEMPTS=1"}

	for b.Loop() { // once: it takes longer than a benchmark's second
		drain := l.measure(env, "drain")
		b.ReportMetric(float64(n)/drain.took.Seconds(), "drained/s")
		b.ReportMetric(float64(n)/drain.cpu.Seconds(), "drained/cpu-s")
		b.ReportMetric(drain.peak, "drain-MiB")

		groups := l.measure(env, "groups", "-o", "json")
		b.ReportMetric(float64(groups.took.Milliseconds()), "groups-ms")
		list := l.slowestList(env)
		b.ReportMetric(float64(list.took.Milliseconds()), "list-ms")
		// For words there is no index: newest first, until the page is full.
		search := l.measure(env, "list", "--limit", "50", "-o", "json", "--text", "overloaded")
		b.ReportMetric(float64(search.took.Milliseconds()), "search-ms")
		b.ReportMetric(max(groups.peak, list.peak, search.peak), "read-MiB")

		commands.Start(b, `"metrics":"`, "dispatcher", env, "--metrics-listen", "127.0.0.1:0")
		simulate := l.measure(env, "simulate", "--tenant", tenant, "-o", "json")
		b.ReportMetric(float64(sent)/simulate.took.Seconds(), "simulated/s")
		var s struct{ ID string }
		if err := json.Unmarshal(simulate.out, &s); err != nil {
			b.Fatal(err)
		}
		replay := l.measure(env, "replay", "run", "--simulation", s.ID, "-o", "json")
		if !completed(replay.out) {
			b.Fatalf("the replay did not end well: %s", replay.out)
		}
		b.ReportMetric(float64(sent)/replay.took.Seconds(), "replayed/s")
		b.ReportMetric(float64(sent)/replay.cpu.Seconds(), "replayed/cpu-s")
		b.ReportMetric(replay.peak, "replay-MiB")
	}
}

// strangers puts letters on the dead-letter queue whose notifications the ledger
// does not know: enough to be stored, grouped and listed.
func (l *losses) strangers(n int) {
	l.tb.Helper()
	const each, perCall = 100, 10
	var out []worker.Outgoing
	codes := causes()
	for i := 0; i < n; i += each {
		ref := push.ChunkRef{Notification: push.NewID(push.PrefixNotification)}
		u := wire.Undelivered{Chunk: push.Chunk{Ref: ref, Tenant: fmt.Sprintf("%s-%d", benchTenant, i/each%40), Attempt: 1}}
		for k := range min(each, n-i) {
			to := toTokens(fmt.Sprintf("%0150d", i+k))[0]
			u.Chunk.Recipients, u.Chunk.Index = append(u.Chunk.Recipients, to), append(u.Chunk.Index, k)
			u.Codes, u.Detail = append(u.Codes, codes[i/each%len(codes)]), append(u.Detail,
				fmt.Sprintf("HTTP 503: The service is overloaded (request %d).", i+k))
		}
		inner, err := wire.EncodeUndelivered(&u, "")
		if err != nil {
			l.tb.Fatal(err)
		}
		body, err := wire.EncodeDeadLetter(&push.DeadLetter{
			Queue: push.QueueBulk, Code: push.CodeAttemptsExhausted, Body: inner, Group: u.Chunk.Tenant, Receives: 1, SentAt: time.Now(),
			At: time.Now(), Software: "v1",
		})
		if err != nil {
			l.tb.Fatal(err)
		}
		if out = append(out, worker.Outgoing{Body: body, Group: u.Chunk.Tenant}); len(out) == perCall || i+each >= n {
			if err := l.queues[push.DeadLetterQueue(push.QueueBulk)].Send(l.tb.Context(), out); err != nil {
				l.tb.Fatal(err)
			}
			out = out[:0]
		}
	}
}

// measured is what a command printed and took.
type measured struct {
	out  []byte
	took time.Duration
	cpu  time.Duration // user and system
	peak float64       // MiB of resident memory
}

// measure runs dlq-replayer. What only reads is run several times, for the
// median.
func (l *losses) measure(env []string, args ...string) measured {
	l.tb.Helper()
	times := 1
	if args[0] == "groups" || args[0] == "list" {
		times = rounds
	}
	all := make([]measured, times)
	for i := range all {
		cmd := commands.Command(l.tb, "dlq-replayer", env, args...)
		began := time.Now()
		out, err := cmd.Output()
		if err != nil {
			var said []byte
			if e, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as Output documents it
				said = e.Stderr
			}
			l.tb.Fatalf("dlq-replayer %s: %v\n%s", strings.Join(args, " "), err, said)
		}
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			l.tb.Fatal("no resource usage")
		}
		const perMiB = 1024 // Linux counts in KiB
		all[i] = measured{
			out: out, took: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
			peak: float64(usage.Maxrss) / perMiB,
		}
	}
	slices.SortFunc(all, func(a, b measured) int { return cmp.Compare(a.took, b.took) })
	return all[times/2]
}

// slowestList lists by all kinds of filter that an index serves, and returns the
// slowest. Starting the program is part of it.
func (l *losses) slowestList(env []string) measured {
	l.tb.Helper()
	letters := l.page(1)
	var slowest measured
	for _, filter := range [][]string{
		{"--tenant", benchTenant + "-7"},
		{"--code", "net.timeout"},
		{"--queue", push.QueueBulk},
		{"--fingerprint", letters[0].Fingerprint},
		{"--notification", string(letters[0].Notification)},
		{"--tenant", benchTenant + "-7", "--code", "net.timeout"},
		{"--older", "1s"},
	} {
		m := l.measure(env, append([]string{"list", "--limit", "50", "-o", "json"}, filter...)...)
		l.tb.Logf("list %s: %v", strings.Join(filter, " "), m.took.Round(time.Millisecond))
		if m.took > slowest.took {
			slowest = m
		}
	}
	return slowest
}

func (l *losses) page(limit int) []push.Letter {
	l.tb.Helper()
	letters, _, err := l.store.Letters(l.tb.Context(), push.LetterFilter{}, "", limit)
	if err != nil || len(letters) == 0 {
		l.tb.Fatalf("%d letters (%v)", len(letters), err)
	}
	return letters
}
