package guard

import (
	"hash/maphash"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

const (
	// suspectsKept is how many recipients a generation of suspects holds; there are
	// two. 16,384 hashes take some 600 KiB, and only while so many fail.
	suspectsKept = 8192
	// suspectFor is how long a generation is filled, at most: a recipient is
	// suspected for that long and up to twice as long.
	suspectFor = 10 * time.Minute
)

// suspects are the recipients that FCM failed lately, by the hash of their
// address. The first failure says something about FCM, the second to the same
// recipient says that it may be the recipient's. Not safe for concurrent use.
//
// When a generation is full, the older one is forgotten. That does not spoil the
// verdict: a recipient then counts once for every 8,192 others that failed, which
// is no share at all.
type suspects struct {
	seed  maphash.Seed
	young map[uint64]struct{}
	old   map[uint64]struct{}
	born  time.Duration // of the young
}

func newSuspects() *suspects {
	return &suspects{seed: maphash.MakeSeed(), young: map[uint64]struct{}{}, old: map[uint64]struct{}{}}
}

// add suspects a recipient, and reports whether it was not suspected before.
func (s *suspects) add(a push.Address, now time.Duration) (first bool) {
	s.age(now)
	first = !s.has(a, now)
	s.young[maphash.Comparable(s.seed, a)] = struct{}{}
	return first
}

// has reports whether a recipient is suspected.
func (s *suspects) has(a push.Address, now time.Duration) bool {
	s.age(now)
	if s.len() == 0 {
		return false
	}
	h := maphash.Comparable(s.seed, a)
	_, young := s.young[h]
	_, old := s.old[h]
	return young || old
}

// clear ends the suspicion of a recipient: FCM took a message for it.
func (s *suspects) clear(a push.Address) {
	if s.len() == 0 {
		return
	}
	h := maphash.Comparable(s.seed, a)
	delete(s.young, h)
	delete(s.old, h)
}

func (s *suspects) len() int { return len(s.young) + len(s.old) }

// age begins a new generation when the young one is full or old enough.
func (s *suspects) age(now time.Duration) {
	if len(s.young) < suspectsKept && now-s.born < suspectFor {
		return
	}
	s.young, s.old = s.old, s.young
	clear(s.young)
	if now-s.born >= 2*suspectFor { // nobody asked for so long that the other is old as well
		clear(s.old)
	}
	s.born = now
}
