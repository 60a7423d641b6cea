//go:build unix

package sqlite

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

const benchChunk = 350 // recipients of a chunk: what fits 60 KiB

func benchTime() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC) }

func benchNotification(id push.ID) push.Notification {
	return push.Notification{
		ID: id, Tenant: "tenant", Target: push.Target{Tokens: []push.Token{push.Token(strings.Repeat("t", 163))}},
		Message: push.Message(`{"notification":{"title":"Hi","body":"There"}}`), AcceptedAt: benchTime(),
		Progress: push.Progress{State: push.StateAccepted, Sources: 1, Pages: 1},
	}
}

func benchPlans(id push.ID, n int) []ledger.Plan {
	plans := make([]ledger.Plan, n)
	for i := range plans {
		plans[i] = ledger.Plan{
			Ref: push.ChunkRef{Notification: id, Seq: i}, Tenant: "tenant", Sources: benchChunk,
			Hashes: make([]uint64, benchChunk), Cells: make([]ledger.Cell, benchChunk),
		}
	}
	return plans
}

func benchDevice(i int) push.Device {
	// A hash of the number scatters ids and addresses as real ones are.
	scattered := push.Address{Value: push.Token(strconv.Itoa(i))}.Hash()
	return push.Device{
		Tenant: "tenant", ID: push.ID(fmt.Sprintf("dev-%016x-%d", scattered, i)),
		Address:  push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprintf("%0140x:%016x", i, scattered))},
		Platform: push.PlatformAndroid, UserID: fmt.Sprintf("user-%d", i/2), Locale: "de-CH", State: push.DeviceActive,
		Source: push.SourceImport, CreatedAt: benchTime(), UpdatedAt: benchTime(),
	}
}

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

// meter reports a rate, and the processor's time of all threads for one thing:
// on a machine that others use as well, only that can be compared.
func meter(b *testing.B, each int, what string) {
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

// BenchmarkCountsMillion sums the lines of a million recipients.
func BenchmarkCountsMillion(b *testing.B) {
	s := openStore(b)
	id := push.NewID(push.PrefixBatch)
	if _, err := s.Plan(b.Context(), benchPlans(id, 2900), benchTime()); err != nil {
		b.Fatal(err)
	}
	meter(b, 1, "sums")
	for b.Loop() {
		c, err := s.Counts(b.Context(), id)
		if err != nil || c.Recipients != 2900*benchChunk {
			b.Fatal(c.Recipients, err)
		}
	}
}

// BenchmarkCreate is what accepting a notification writes, with many callers.
func BenchmarkCreate(b *testing.B) {
	s := openStore(b)
	b.SetParallelism(50)
	meter(b, 1, "notifications")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := s.Create(b.Context(), benchNotification(push.NewID(push.PrefixNotification))); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkReserve is an idempotent request's first write, with many callers.
func BenchmarkReserve(b *testing.B) {
	s := openStore(b)
	var n atomic.Int64
	b.SetParallelism(50)
	meter(b, 1, "keys")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := idempotency.Record{
				Tenant: "tenant", Key: strconv.FormatInt(n.Add(1), 10), Holder: "h",
				LeaseUntil: benchTime().Add(time.Minute), ExpiresAt: benchTime().Add(time.Hour),
			}
			if _, _, err := s.Reserve(b.Context(), r, benchTime()); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkPlan stores the plan of one upload page.
func BenchmarkPlan(b *testing.B) {
	s := openStore(b)
	meter(b, 60*benchChunk, "recipients")
	for b.Loop() {
		if _, err := s.Plan(b.Context(), benchPlans(push.NewID(push.PrefixBatch), 60), benchTime()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSaveLine is a checkpoint of 50 results, from eight chunks at once.
func BenchmarkSaveLine(b *testing.B) {
	s := openStore(b)
	lines, err := s.Plan(b.Context(), benchPlans(push.NewID(push.PrefixBatch), 500), benchTime())
	if err != nil {
		b.Fatal(err)
	}
	attempts := make([]ledger.Attempt, 50)
	for i := range attempts {
		attempts[i] = ledger.Attempt{
			Cell: i, Attempt: 1, Code: push.CodeSent, At: benchTime().Add(time.Duration(i) * time.Millisecond), Latency: 50 * time.Millisecond,
			Detail: fmt.Sprintf("projects/project/messages/0:%016d%%31bd1c96", i*7919),
		}
	}
	var n atomic.Int64
	b.SetParallelism(4)
	meter(b, len(attempts), "outcomes")
	b.RunParallel(func(pb *testing.PB) {
		l := lines[int(n.Add(1))%len(lines)]
		for pb.Next() {
			if err := s.SaveLine(b.Context(), l, 0, attempts); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkPutDevices imports into a registry that already has 100,000.
func BenchmarkPutDevices(b *testing.B) {
	const there = 100_000
	s := openStore(b)
	benchDevices(b, s, there)
	next := there
	batch := make([]push.Device, 1000)
	meter(b, 1000, "devices")
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
	meter(b, 1000, "devices")
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
	meter(b, benchChunk, "addresses")
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
	meter(b, benchChunk, "addresses")
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
	meter(b, len(users), "users")
	for b.Loop() {
		for i := range users {
			users[i] = fmt.Sprintf("user-%d", r.IntN(there/2))
		}
		if _, err := s.DevicesByUser(b.Context(), "tenant", users); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecordKnown looks at a chunk of addresses that are all known.
func BenchmarkRecordKnown(b *testing.B) {
	const there = 100_000
	s := openStore(b)
	benchDevices(b, s, there)
	ds := make([]push.Device, benchChunk)
	for i := range ds {
		ds[i] = benchDevice(i * 250)
	}
	meter(b, benchChunk, "addresses")
	for b.Loop() {
		if err := s.RecordDevices(b.Context(), ds); err != nil {
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
	meter(b, benchChunk, "notes")
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

// BenchmarkPutPage stores pages of 4 MiB.
func BenchmarkPutPage(b *testing.B) {
	s := openStore(b)
	data := make([]byte, push.MaxPageBytes)
	b.SetBytes(push.MaxPageBytes)
	meter(b, 1, "pages")
	for n := 0; b.Loop(); n++ {
		if _, err := s.PutPage(b.Context(), push.ID(fmt.Sprint("bat_", n)), push.PageUpload, 0, data); err != nil {
			b.Fatal(err)
		}
		if n%8 == 7 {
			b.StopTimer()
			for i := n - 7; i <= n; i++ {
				if err := s.DeletePages(b.Context(), push.ID(fmt.Sprint("bat_", i))); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
		}
	}
}
