package cost

import (
	"flag"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/status"
)

// What BenchmarkStatus builds: two million open recipients in fifty batches, and letters of twelve causes. That takes the stand-ins
// some three minutes, at 20 to 30 ms for a line and for a letter; ten million recipients would take them ten. Sums grow with the
// lines, and what letters take with their causes only: TestStatusIsBounded counts both.
var (
	benchBatches = flag.Int("bench-status-batches", 50, "BenchmarkStatus: open batches")
	benchChunks  = flag.Int("bench-status-chunks", 80, "BenchmarkStatus: chunks of 500 recipients of each of them")
	benchLetters = flag.Int("bench-status-letters", 2400, "BenchmarkStatus: dead letters")
)

// room is the status of a process that has just started.
func (y *yard) room(patience, sums time.Duration) *status.Room {
	reports := report.New(report.Config{
		Notifications: y.back.Store, Chunks: y.back.Store, Pages: y.back.Store, Devices: y.back.Store, Log: zap.NewNop(),
	})
	return app.NewStatus(y.back, app.Overview{
		Reports: reports, Pauses: pause.New(y.back.Store, nil, zap.NewNop()), Overrides: override.New(y.back.Store, time.Now, zap.NewNop()),
		Budget: patience, Sums: sums,
	}, time.Now)
}

// uncounted is how many of what is running are shown as a question mark, and parts how many parts are told as missing or old.
func uncounted(s *status.Status) (running, parts float64) {
	for i := range s.Running {
		if !s.Running[i].Counted {
			running++
		}
	}
	return running, float64(len(s.Missing))
}

// unshared waits until a reading is no longer shared by all who ask.
func unshared() {
	passed := time.NewTimer(time.Second + 10*time.Millisecond)
	<-passed.C
}

// BenchmarkStatus looks at the status on the stand-ins: the first look of a server and of a command, each of a process that has
// read nothing yet, and later looks of a server. It prints how the sums of what is open come in, and asserts no time.
func BenchmarkStatus(b *testing.B) {
	y, begun := newYard(b), time.Now()
	y.batches(*benchBatches, *benchChunks)
	y.letters(0, *benchLetters)
	built := time.Since(begun).Round(time.Second)
	for _, c := range []struct {
		name           string
		patience, sums time.Duration
	}{{"first/served", 0, 0}, {"first/command", 5 * time.Second, 200 * time.Millisecond}} {
		b.Run(c.name, func(b *testing.B) {
			var running, parts float64
			for b.Loop() {
				b.StopTimer()
				room := y.room(c.patience, c.sums)
				b.StartTimer()
				s := room.Look(b.Context(), "")
				b.StopTimer()
				n, m := uncounted(&s)
				running, parts = running+n, parts+m
				room.Close()
				b.StartTimer()
			}
			b.ReportMetric(running/float64(b.N), "uncounted/op")
			b.ReportMetric(parts/float64(b.N), "missing/op")
		})
	}
	b.Run("later/served", func(b *testing.B) {
		room := y.room(0, 0)
		defer room.Close()
		b.Logf("%d batches of %d chunks and %d letters took %v to store", *benchBatches, *benchChunks, *benchLetters, built)
		counting, looks, worst := time.Now(), 0, time.Duration(0)
		before := -1.0
		for left := 1.0; left > 0 && time.Since(counting) < 2*time.Minute; looks++ {
			asked := time.Now()
			s := room.Look(b.Context(), "")
			took := time.Since(asked)
			worst = max(worst, took)
			left, _ = uncounted(&s)
			if left != before {
				b.Logf("%5.1f s after the first look: %v, %.0f of %d not counted, %d open, missing %v", time.Since(counting).Seconds(),
					took.Round(time.Millisecond), left, len(s.Running), s.Open, s.Missing)
			}
			before = left
			unshared()
		}
		b.Logf("the longest of %d looks took %v", looks, worst.Round(time.Millisecond))
		for b.Loop() {
			b.StopTimer()
			unshared()
			b.StartTimer()
			room.Look(b.Context(), "")
		}
	})
}
