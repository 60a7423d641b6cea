package lease

import (
	"strconv"
	"strings"
	"sync"
)

// claims are the claims of this process that are in hand. A process knows for sure,
// without any clock, which of its own owners live.
type claims struct {
	mu   sync.Mutex
	made int64
	held map[string]struct{}
}

// name returns the name of a new claim. Two copies of a queue message may be in hand in one
// process at the same time, and must not be mistaken for each other.
func (c *claims) name(process string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	owner := process + ownerMark + strconv.FormatInt(c.made, 10)
	if c.held == nil {
		c.held = map[string]struct{}{}
	}
	c.held[owner] = struct{}{}
	return owner
}

// ownerMark stands between the process and the number of a claim.
const ownerMark = "#"

// drop says that a claim is no longer in hand.
func (c *claims) drop(owner string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, owner)
}

// knows reports whether owner is a claim of this process, and whether it is in hand.
func (c *claims) knows(process, owner string) (own, held bool) {
	if !strings.HasPrefix(owner, process+ownerMark) {
		return false, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, held = c.held[owner]
	return true, held
}
