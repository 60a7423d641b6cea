package deliver

import (
	"sync"
	"time"
)

// pace knows how fast the chunks of a lane are sent of late, and how long the
// ledger takes. A reservation follows it: what is reserved and not sent to is
// flagged for nothing if the process dies.
type pace struct {
	mu      sync.Mutex
	inHand  int     // chunks that are being sent
	chunk   float64 // rows a second of one chunk, 0 while unknown
	writing time.Duration
}

const (
	// usualWrite is what a write takes as long as none is known.
	usualWrite = 5 * time.Millisecond
	// paceMemory is the weight of the latest chunk, and of the latest write.
	paceMemory = 0.2
	// paceOver is over how long a chunk's own pace is averaged.
	paceOver = checkpointEvery
)

// begin notes a chunk that is about to be sent, and returns the pace to expect of
// it: that of the others of late, and not more than its share of what the
// credential may send now.
func (p *pace) begin(allowed float64) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inHand++
	share := allowed / float64(p.inHand)
	if p.chunk == 0 {
		return share
	}
	return min(p.chunk, share)
}

func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inHand--
}

// took notes that a chunk got leave for so many rows in that time.
func (p *pace) took(rows int, within time.Duration) {
	if rows < 2 {
		return // tells nothing
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := float64(rows) / max(within, time.Millisecond).Seconds()
	if p.chunk == 0 {
		p.chunk = now
	}
	p.chunk += (now - p.chunk) * paceMemory
}

// wrote notes how long a write of a line took.
func (p *pace) wrote(in time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writing += time.Duration(float64(in-p.writing) * paceMemory)
}

// ahead is how many rows to reserve beyond those that have leave: what is sent
// until the next reservation is stored, a checkpoint's worth at most. At a slow
// pace that is none, and every row waits for its own.
func (p *pace) ahead(perSecond float64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(min(perSecond*(checkpointEvery+2*p.writing).Seconds(), checkpointResults))
}

// first is the same for a chunk of which nothing is sent yet: its requests under
// way come on top.
func (p *pace) first(perSecond float64, window int) int {
	return p.ahead(perSecond) + int(min(perSecond*checkpointEvery.Seconds(), float64(window)))
}

// speed is how fast the rows of a window get leave, averaged over paceOver.
type speed struct {
	perSecond float64
	rows      int           // at the last look
	at        time.Duration // when that was
}

// look takes note of how many rows had leave by now.
func (s *speed) look(rows int, now time.Duration) {
	passed := now - s.at
	if passed <= 0 {
		return
	}
	recent := float64(rows-s.rows) / passed.Seconds()
	s.perSecond += (recent - s.perSecond) * min(1, float64(passed)/float64(paceOver))
	s.rows, s.at = rows, now
}
