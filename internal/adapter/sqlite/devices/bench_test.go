//go:build unix

package devices

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
	"github.com/belfry-push/belfry/internal/push"
)

const benchChunk = 350 // recipients of a chunk: what fits 60 KiB

func benchDevices(b *testing.B, s *Store, n int) {
	b.Helper()
	for from := 0; from < n; from += 1000 {
		ds := make([]push.Device, 0, 1000)
		for i := from; i < min(from+1000, n); i++ {
			ds = append(ds, benchDevice(i))
		}
		if err := s.PutDevices(b.Context(), ds); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPutDevices imports into a registry that already has 100,000.
func BenchmarkPutDevices(b *testing.B) {
	const there = 100_000
	s := openStore(b)
	benchDevices(b, s, there)
	next := there
	batch := make([]push.Device, 1000)
	drivertest.Meter(b, 1000, "devices")
	for b.Loop() {
		for i := range batch {
			batch[i] = benchDevice(next)
			next++
		}
		if err := s.PutDevices(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRenewDevices puts devices that are there already.
func BenchmarkRenewDevices(b *testing.B) {
	const there = 100_000
	s := openStore(b)
	benchDevices(b, s, there)
	r := rand.New(rand.NewPCG(1, 2))
	batch := make([]push.Device, 1000)
	drivertest.Meter(b, 1000, "devices")
	for b.Loop() {
		for i := range batch {
			batch[i] = benchDevice(r.IntN(there))
		}
		if err := s.PutDevices(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDevicesByAddress resolves the addresses of a chunk.
func BenchmarkDevicesByAddress(b *testing.B) {
	const there = 100_000
	s := openStore(b)
	benchDevices(b, s, there)
	r := rand.New(rand.NewPCG(1, 2))
	addresses := make([]push.Address, benchChunk)
	drivertest.Meter(b, benchChunk, "addresses")
	for b.Loop() {
		for i := range addresses {
			addresses[i] = benchDevice(r.IntN(there)).Address
		}
		found, err := s.DevicesByAddress(b.Context(), "tenant", addresses)
		if err != nil || len(found) < benchChunk-10 {
			b.Fatal(len(found), err)
		}
	}
}

// BenchmarkReachByAddress screens the recipients of a chunk.
func BenchmarkReachByAddress(b *testing.B) {
	const there = 100_000
	s := openStore(b)
	benchDevices(b, s, there)
	r := rand.New(rand.NewPCG(1, 2))
	addresses := make([]push.Address, benchChunk)
	drivertest.Meter(b, benchChunk, "addresses")
	for b.Loop() {
		for i := range addresses {
			addresses[i] = benchDevice(r.IntN(there)).Address
		}
		found, err := s.ReachByAddress(b.Context(), "tenant", addresses)
		if err != nil || len(found) < benchChunk-10 {
			b.Fatal(len(found), err)
		}
	}
}

// BenchmarkDevicesByUser resolves the users of a notification.
func BenchmarkDevicesByUser(b *testing.B) {
	const there = 100_000
	s := openStore(b)
	benchDevices(b, s, there)
	r := rand.New(rand.NewPCG(1, 2))
	users := make([]string, 1000)
	drivertest.Meter(b, len(users), "users")
	for b.Loop() {
		for i := range users {
			users[i] = fmt.Sprintf("user-%d", r.IntN(there/2))
		}
		if _, err := s.DevicesByUser(b.Context(), "tenant", users); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNoteDevices applies the outcomes of a chunk.
func BenchmarkNoteDevices(b *testing.B) {
	const there = 100_000
	s := openStore(b)
	benchDevices(b, s, there)
	notes := make([]push.DeviceNote, benchChunk)
	at := benchTime()
	drivertest.Meter(b, benchChunk, "notes")
	for b.Loop() {
		at = at.Add(time.Second)
		for i := range notes {
			notes[i] = push.DeviceNote{Address: benchDevice(i * 250).Address, Code: push.CodeSent, At: at, SentAt: at}
		}
		if _, err := s.NoteDevices(b.Context(), "tenant", notes); err != nil {
			b.Fatal(err)
		}
	}
}
