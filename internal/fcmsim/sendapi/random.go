package sendapi

import (
	"math"
	"sync/atomic"
)

// randomSource is a seeded source of random numbers that many requests may use at the same time
// without a lock: the n-th number is a hash of seed and n (SplitMix64; Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", 2014).
type randomSource struct {
	seed uint64
	n    atomic.Uint64
}

// next returns the next 64 random bits.
func (d *randomSource) next() uint64 { return mix(d.seed + d.n.Add(1)*0x9e3779b97f4a7c15) }

// share returns the next number in [0, 1).
func (d *randomSource) share() float64 { return float64(d.next()>>11) / (1 << 53) }

// normal returns the next number of the standard normal distribution (Box–Muller).
func (d *randomSource) normal() float64 {
	radius := math.Sqrt(-2 * math.Log(1-d.share()))
	return radius * math.Cos(2*math.Pi*d.share())
}

// mix is SplitMix64's finalizer. It is a bijection, so different inputs stay different.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
