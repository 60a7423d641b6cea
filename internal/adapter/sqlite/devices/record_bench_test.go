//go:build unix

package devices

import (
	"strconv"
	"testing"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
	"github.com/belfry-push/belfry/internal/push"
)

// benchNotes are the successes of sends to addresses from that number on.
func benchNotes(from, n int) []push.DeviceNote {
	notes := make([]push.DeviceNote, n)
	for i := range notes {
		a := benchDevice(from + i).Address
		notes[i] = push.DeviceNote{Address: a, Code: push.CodeSent, At: benchTime(), SentAt: benchTime(), Record: true}
	}
	return notes
}

// BenchmarkRecordDevices records what a send to new addresses learns, in batches as the
// recorder makes them, beside that many which are there already.
func BenchmarkRecordDevices(b *testing.B) {
	const batch = 1 << 15
	for _, there := range []int{0, 100_000, 1_000_000, 2_000_000} {
		b.Run(strconv.Itoa(there), func(b *testing.B) {
			s := openStore(b)
			next := 0
			for ; next < there; next += batch {
				if err := s.RecordDevices(b.Context(), "tenant", benchNotes(next, batch)); err != nil {
					b.Fatal(err)
				}
			}
			drivertest.Meter(b, batch, "devices")
			for b.Loop() {
				b.StopTimer()
				notes := benchNotes(next, batch)
				next += batch
				b.StartTimer()
				if err := s.RecordDevices(b.Context(), "tenant", notes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
