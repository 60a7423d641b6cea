//go:build unix

package pages

import (
	"fmt"
	"testing"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/drivertest"
	"github.com/belfry-push/belfry/internal/push"
)

// BenchmarkPutPage stores pages of 4 MiB.
func BenchmarkPutPage(b *testing.B) {
	s := openStore(b)
	data := make([]byte, push.MaxPageBytes)
	b.SetBytes(push.MaxPageBytes)
	drivertest.Meter(b, 1, "pages")
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
