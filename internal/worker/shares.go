package worker

import (
	"sync"
	"time"
)

const (
	// spareShare is the part of a worker's places that one group alone can't have while there
	// are others: 3 of 26.
	spareShare = 8
	// putOffFor is how long a message waits on the queue that found its group's places
	// taken: the least that queues know.
	putOffFor = time.Second
	// spareLeast and spareMost are the time between two looks for messages of other groups
	// while only spare places are left and the queue offers none: it doubles with each
	// look in vain. It bounds how long others wait, and how many messages are put off, which
	// SQS charges for.
	spareLeast = 20 * time.Millisecond
	spareMost  = 40 * time.Millisecond
	// lookMost is the same while a group that is alone has all places: rarely, because mostly
	// there is nobody else.
	lookMost = time.Second
	// extraShare is the part of a worker's places that there are more of for the messages of
	// others while a group has those that should be spare, because it was alone when it took
	// them: 6 of 26, for as long as its messages take. extraMost bounds it.
	extraShare, extraMost = 4, 16
	// groupMemory is for how long after its last message a group counts. Afterwards the
	// others may have all places again, and its next message may have to wait for one.
	groupMemory = 10 * time.Minute
)

// shares bounds how many of a worker's places the messages of one group take up: max-min
// fairness without a look at the queue, which tells of no groups before it gives
// messages out. A group may have an equal share of the places, and beyond that what
// others leave, but for some spare places: there the next message of another
// group begins at once, however long those in hand take. While there is only
// one group, it may have everything; who comes then begins in an extra place. Safe for
// concurrent use.
type shares struct {
	places, spare, extra int

	now func() time.Time

	mu     sync.Mutex
	taken  int
	groups map[string]*share
}

// share is what one group has.
type share struct {
	inHand int
	last   time.Time // when it last had a message
}

func newShares(places int) *shares {
	s := &shares{places: places, now: time.Now, groups: map[string]*share{}}
	if places > 1 {
		s.spare, s.extra = max(1, places/spareShare), min(max(1, places/extraShare), extraMost)
	}
	return s
}

// reserved returns how many places only a group below its share may take now.
func (s *shares) reserved() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	if len(s.groups) < 2 {
		return 0
	}
	return s.spare
}

// crowded reports, when all places are taken, whether a group has more than its share of them, and
// whether there is no other.
func (s *shares) crowded() (crowded, alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.groups) < 2 {
		return true, true
	}
	equal := s.equal()
	for _, g := range s.groups {
		if g.inHand > equal {
			return true, false
		}
	}
	return false, false
}

// equal is the share of a group.
func (s *shares) equal() int { return max(1, s.places/max(1, len(s.groups))) }

// take takes a place for a message of the group, unless that is for others. A message
// that was received before is not put off: its count of receives would be lost, and
// with that the only trace of workers that died over it.
func (s *shares) take(m Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.groups[m.Group]
	if !ok {
		s.forget()
		g = &share{}
		s.groups[m.Group] = g
	}
	g.last = s.now()
	equal, most := s.equal(), s.places
	if len(s.groups) > 1 {
		most -= s.spare
	}
	if m.Receives < 2 && g.inHand >= equal && s.taken >= most {
		return false
	}
	g.inHand++
	s.taken++
	return true
}

// free gives the place of a message back.
func (s *shares) free(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if g, ok := s.groups[m.Group]; ok {
		g.inHand--
	}
}

// forget drops groups that have had nothing for a while.
func (s *shares) forget() {
	now := s.now()
	for name, g := range s.groups {
		if g.inHand == 0 && now.Sub(g.last) > groupMemory {
			delete(s.groups, name)
		}
	}
}
