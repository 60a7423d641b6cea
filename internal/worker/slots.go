package worker

import (
	"context"
	"time"
)

// slots are a worker's places, and the extra ones for those who find all of them taken by a group
// that was alone. Safe for concurrent use.
type slots struct {
	*shares

	all, extra chan struct{} // each holds one for each place that is taken
}

func newSlots(s *shares) *slots {
	return &slots{s, make(chan struct{}, s.places), make(chan struct{}, s.extra)}
}

// free gives a place back; extra ones first.
func (s *slots) free() {
	select {
	case <-s.extra:
	default:
		<-s.all
	}
}

// placeKind is which places a poller took.
type placeKind uint8

const (
	placeUsual placeKind = iota
	placeSpare           // there were no others
	placeExtra           // there were no spare ones either
)

// look is how a poller looks for messages of others while there are no places but for them.
type look struct {
	alone bool          // one group has all places, as far as is known
	every time.Duration // it doubles with each look in vain
}

// vain notes a look that found nothing.
func (l *look) vain() {
	most := spareMost
	if l.alone {
		most = lookMost
	}
	l.every = min(max(2*l.every, spareLeast), most)
}

// acquire takes places, waiting for the first, up to a batch. The spare ones it takes
// only if there are no others, and an extra one if none has come free for a while: then
// it says so. 0 places mean that ctx ended.
func (s *slots) acquire(ctx context.Context, l *look) (n int, k placeKind) {
	usual, ok := s.first(ctx, l)
	switch {
	case !ok:
		return 0, placeUsual
	case !usual && l.alone:
		return 1, placeExtra
	case !usual: // of several messages one may be of the group that has too much already
		return more(s.extra, 1, s.spare, 0), placeExtra
	}
	reserved := s.reserved()
	if cap(s.all)-len(s.all) < reserved {
		k, reserved = placeSpare, 0
	}
	return more(s.all, 1, MaxBatch, reserved), k
}

// more takes places of which n are taken, up to most, as long as more than reserved are free.
func more(places chan<- struct{}, n, most, reserved int) int {
	for ; n < most && cap(places)-len(places) > reserved; n++ {
		select {
		case places <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

// first takes one place, unless ctx ends: an extra one, after a while, if all are taken and
// some of them should not be.
func (s *slots) first(ctx context.Context, l *look) (usual, ok bool) {
	select {
	case s.all <- struct{}{}:
		return true, true
	default:
	}
	crowded, alone := s.crowded()
	if l.alone = alone; !alone {
		l.every = min(l.every, spareMost)
	}
	var due <-chan time.Time
	if crowded {
		t := time.NewTimer(l.every)
		defer t.Stop()
		due = t.C
	}
	var extra chan<- struct{}
	for {
		select {
		case s.all <- struct{}{}:
			return true, true
		case extra <- struct{}{}:
			return false, true
		case <-due:
			extra = s.extra
		case <-ctx.Done():
			return false, false
		}
	}
}
