//go:build unix

package idempotency

import (
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
	"github.com/belfry-push/belfry/internal/idempotency"
)

// BenchmarkReserve is an idempotent request's first write, with many callers.
func BenchmarkReserve(b *testing.B) {
	s := openStore(b)
	var n atomic.Int64
	b.SetParallelism(50)
	drivertest.Meter(b, 1, "keys")
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
