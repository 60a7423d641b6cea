package deliver

import (
	"strconv"
	"strings"
	"sync"
)

// claims knows which claims of this process are in hand. Of its own owners a
// process knows for sure whether they live, without any clock.
type claims struct {
	mu   sync.Mutex
	made int64
	held map[string]struct{}
}

// name names a new claim. Two copies of a queue message may be in hand in one
// process at the same time, and must not take each other for themselves.
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

// knows tells whether owner is a claim of this process, and whether it is in hand.
func (c *claims) knows(process, owner string) (own, held bool) {
	if !strings.HasPrefix(owner, process+ownerMark) {
		return false, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, held = c.held[owner]
	return true, held
}
