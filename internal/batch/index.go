package batch

import (
	"math"
	"math/bits"
)

// index remembers on which line each recipient of a batch came first, by a
// 64-bit hash. It is an open-addressing table in segments that grow one by one,
// so that growing never needs more than a segment twice: 12 bytes a slot, and
// with segments between 7/12 and 7/8 full 14 to 21 bytes a recipient.
//
// Two recipients of one hash look like duplicates. Among n recipients that
// happens with a probability of about n²/2⁶⁵: 1 in 37 million for a million,
// 1 in 370,000 for ten million.
//
// It is not safe for concurrent use.
type index struct {
	segments [indexSegments]segment
	bytes    int // what the segments take
}

const (
	indexSegments = 64
	segmentBits   = 6       // of the hash choose the segment
	slotBytes     = 8 + 4   // hash and line
	firstSlots    = 16      // of a segment
	fullShare     = 7.0 / 8 // of a segment's slots in use, before it grows
)

// segment is a table with linear probing. A slot without a line is free.
type segment struct {
	hashes []uint64
	lines  []uint32
	used   int
}

// find returns the first line of the recipient with this hash.
func (x *index) find(hash uint64) (int64, bool) {
	s := &x.segments[hash>>(64-segmentBits)]
	if len(s.lines) == 0 {
		return 0, false
	}
	at := s.slot(hash)
	return int64(s.lines[at]), s.lines[at] != 0
}

// add remembers a line, from 1, unless the hash has one. It asks for the bytes
// that it needs to grow, and reports false if it does not get them, or if the
// line's number does not fit.
func (x *index) add(hash uint64, line int64, reserve func(bytes int) bool) bool {
	if line > math.MaxUint32 {
		return false
	}
	s := &x.segments[hash>>(64-segmentBits)]
	if float64(s.used+1) > fullShare*float64(len(s.lines)) {
		more := max(firstSlots, len(s.lines)/2)
		if !reserve(more * slotBytes) {
			return false
		}
		x.bytes += more * slotBytes
		s.grow(len(s.lines) + more)
	}
	if at := s.slot(hash); s.lines[at] == 0 {
		s.hashes[at], s.lines[at] = hash, uint32(line) //nolint:gosec // it fits, see above
		s.used++
	}
	return true
}

// slot returns where the hash is, or the free slot where it belongs.
func (s *segment) slot(hash uint64) int {
	home, _ := bits.Mul64(hash<<segmentBits, uint64(len(s.lines)))
	for at := int(home); ; at++ { //nolint:gosec // less than the slots
		if at == len(s.lines) {
			at = 0
		}
		if s.lines[at] == 0 || s.hashes[at] == hash {
			return at
		}
	}
}

func (s *segment) grow(slots int) {
	old := *s
	s.hashes, s.lines = make([]uint64, slots), make([]uint32, slots)
	for i, line := range old.lines {
		if line != 0 {
			at := s.slot(old.hashes[i])
			s.hashes[at], s.lines[at] = old.hashes[i], line
		}
	}
}
