//go:build unix

package drivertest

import (
	"syscall"
	"testing"
	"time"
)

// Meter reports a rate, and the processor's time of all threads for one thing:
// on a machine that others use as well, only that can be compared. Each is how many
// things one round of the benchmark does, what they are in the plural.
func Meter(b *testing.B, each int, what string) {
	b.Helper()
	start := cpuTime(b)
	b.ResetTimer()
	b.Cleanup(func() {
		things := float64(b.N * each)
		b.ReportMetric(things/b.Elapsed().Seconds(), what+"/s")
		b.ReportMetric(float64((cpuTime(b)-start).Nanoseconds())/1000/things, "cpu-µs/one")
	})
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
