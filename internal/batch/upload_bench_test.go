package batch_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/belfry-push/belfry/internal/batch"
)

// Lines that are no bare token: what 100,000 of them cost without a store.
func BenchmarkUploadOverrides(b *testing.B) {
	var body, rows bytes.Buffer
	const count = 100_000
	rows.WriteString("token,data.name,data.points,locale,collapse_id\n")
	noise := make([]byte, 80)
	random := rand.NewChaCha8([32]byte{})
	for i := range count {
		_, _ = random.Read(noise)
		fmt.Fprintf(&body, `{"token":"%x","data":{"name":"User %d","points":"%d"},"locale":"de-DE","collapse_id":"c%d"}`+"\n", noise, i, i*7%1000,
			i%100)
		fmt.Fprintf(&rows, "%x,User %d,%d,de-DE,c%d\n", noise, i, i*7%1000, i%100)
	}
	for name, o := range map[string]batch.Options{"NDJSON": {}, "CSV": {Format: batch.CSV}} {
		in := body.Bytes()
		if o.Format == batch.CSV {
			in = rows.Bytes()
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				w := open()
				if _, err := quiet(w, 0).Upload(b.Context(), tenant, w.id, bytes.NewReader(in), o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*count/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
