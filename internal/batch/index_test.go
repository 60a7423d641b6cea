package batch

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// The index answers as a map would, and takes the memory that it says.
func TestIndex(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(0, 40_000).Draw(t, "most")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		narrow := rapid.SampledFrom([]uint64{math.MaxUint64, 0xff, 3 << 62}).Draw(t, "hashes")
		var x index
		used := 0
		want := map[uint64]int64{}
		for line := int64(1); line <= 2000; line++ {
			h := r.Uint64() & narrow
			_, known := want[h]
			ok := x.add(h, line, func(n int) bool {
				if used+n > most {
					return false
				}
				used += n
				return true
			})
			if ok && !known {
				want[h] = line
			}
		}
		for h, line := range want {
			if got, ok := x.find(h); !ok || got != line {
				t.Fatalf("%x is on line %d (%t), want %d", h, got, ok, line)
			}
		}
		for range 1000 {
			h := r.Uint64()
			if _, ok := x.find(h); ok != (want[h] != 0) {
				t.Fatalf("%x is found: %t", h, ok)
			}
		}
		if x.bytes != used || used > most {
			t.Fatalf("%d bytes, asked for %d of %d", x.bytes, used, most)
		}
	})
}

// A recipient takes 14 to 21 bytes, as IndexBytes promises.
func TestIndexBytes(t *testing.T) {
	t.Parallel()
	var x index
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 1_000_000; n++ {
		x.add(r.Uint64(), int64(n), func(int) bool { return true })
		if each := float64(x.bytes) / float64(n); n >= 100_000 && (each < 13.5 || each > 21) {
			t.Fatalf("%d recipients take %.1f bytes each", n, each)
		}
	}
	t.Logf("a million recipients take %.1f MB", float64(x.bytes)/1e6)
	if x.add(1, math.MaxUint32+1, func(int) bool { return true }) {
		t.Error("a line of more than 32 bits was taken")
	}
}
