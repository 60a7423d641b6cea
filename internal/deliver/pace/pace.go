// Package pace is how fast a lane's chunks are sent: it keeps the throttle of their
// batches (throttle.go), and measures what they come to, so that no more recipients
// are reserved than will be sent to (this file).
//
// The pace of the FCM credential is the guard's, not this package's.
package pace

import (
	"sync"
	"time"
)

// Pace is how fast the chunks of a lane are sent of late, and how long the ledger
// takes to store a line. A reservation follows it: a recipient that is reserved and
// not sent to is flagged for nothing if the process dies. Safe for concurrent use.
type Pace struct {
	every time.Duration // between two checkpoints
	most  float64       // results of a checkpoint

	mu      sync.Mutex
	inHand  int     // chunks that are being sent
	chunk   float64 // rows a second of one chunk, 0 while unknown
	writing time.Duration
}

const (
	// usualWrite is how long a write is taken to last before one was measured.
	usualWrite = 5 * time.Millisecond
	// memory is the weight of the latest chunk, and of the latest write.
	memory = 0.2
)

// New returns the pace of a lane whose chunks are saved every so often, or after so
// many results.
func New(every time.Duration, results int) *Pace {
	return &Pace{every: every, most: float64(results), writing: usualWrite}
}

// Begin counts a chunk that is about to be sent, and returns the rows a second to
// expect of it: as many as of the others of late, and no more than its share of what
// the credential may send now.
func (p *Pace) Begin(allowed float64) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inHand++
	share := allowed / float64(p.inHand)
	if p.chunk == 0 {
		return share
	}
	return min(p.chunk, share)
}

// End uncounts a chunk that Begin counted.
func (p *Pace) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inHand--
}

// Took notes that so many rows of a chunk got leave within that time.
func (p *Pace) Took(rows int, within time.Duration) {
	if rows < 2 {
		return // says nothing about the pace
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := float64(rows) / max(within, time.Millisecond).Seconds()
	if p.chunk == 0 {
		p.chunk = now
	}
	p.chunk += (now - p.chunk) * memory
}

// Wrote notes how long a write of a line took.
func (p *Pace) Wrote(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writing += time.Duration(float64(took-p.writing) * memory)
}

// Ahead returns how many rows to reserve beyond those that have leave: what is sent
// until the next reservation is stored, a checkpoint's results at most. At a slow
// pace that is none, and every row waits for its own reservation.
func (p *Pace) Ahead(perSecond float64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(min(perSecond*(p.every+2*p.writing).Seconds(), p.most))
}

// First returns the same for a chunk of which nothing is sent yet: its requests under
// way come on top.
func (p *Pace) First(perSecond float64, window int) int {
	return p.Ahead(perSecond) + int(min(perSecond*p.every.Seconds(), float64(window)))
}

// Speed is how fast the rows of one chunk get leave, averaged over a time. It belongs
// to one goroutine.
type Speed struct {
	perSecond float64
	over      time.Duration
	rows      int           // at the last look
	at        time.Duration // when that was
}

// NewSpeed returns a speed that is expected to be perSecond, as of now.
func NewSpeed(perSecond float64, now, over time.Duration) *Speed {
	return &Speed{perSecond: perSecond, over: over, at: now}
}

// Look takes note of how many rows have leave by now, and returns the rows a second.
func (s *Speed) Look(rows int, now time.Duration) float64 {
	passed := now - s.at
	if passed <= 0 {
		return s.perSecond
	}
	recent := float64(rows-s.rows) / passed.Seconds()
	s.perSecond += (recent - s.perSecond) * min(1, float64(passed)/float64(s.over))
	s.rows, s.at = rows, now
	return s.perSecond
}
