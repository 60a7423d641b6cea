package workertest

import (
	"errors"
	"sync"
)

// ErrFault is what a call that was made to fail returns.
var ErrFault = errors.New("fault: the call was made to fail")

// Calls counts calls of ports and makes chosen ones fail, the way processes,
// networks and stores do: before they had their effect, after it (the answer was
// lost), or for good, because the process died. The Around types of the
// conformance suites put it around a port. The zero value lets all pass.
// Safe for concurrent use; calls run side by side, as a long poll and a send do.
type Calls struct {
	mu    sync.Mutex
	made  int
	left  int // until the one that fails; 0: none is chosen
	after bool
	dead  bool // all that follow fail, too
	died  bool
}

// Fail makes the n-th call from now fail, n from 1: after it had its effect, or
// before. The calls that follow pass.
func (c *Calls) Fail(n int, after bool) { c.choose(n, after, false) }

// Die makes the n-th call from now fail as [Calls.Fail] does, and every call
// that follows: the process died. [Calls.Mend] starts it again.
func (c *Calls) Die(n int, after bool) { c.choose(n, after, true) }

func (c *Calls) choose(n int, after, dead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.after, c.dead, c.died = n, after, dead, false
}

// Mend lets all calls pass again.
func (c *Calls) Mend() { c.choose(0, false, false) }

// Made returns how many calls were made so far, failed ones included.
func (c *Calls) Made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// Do runs one call of a port, or fails in its place. op, the call's name, does
// not matter to it.
func (c *Calls) Do(_ string, effect func() error) error {
	fails, after := c.next()
	if !fails {
		return effect()
	}
	if after {
		_ = effect() // it took effect, whatever it said
	}
	return ErrFault
}

// next counts a call, and says whether it fails, and then whether it does so only
// after its effect.
func (c *Calls) next() (fails, after bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	switch {
	case c.died:
		return true, false
	case c.left == 0:
		return false, false
	}
	if c.left--; c.left > 0 {
		return false, false
	}
	c.died = c.dead
	return true, c.after
}
