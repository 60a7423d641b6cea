package device

import (
	"sync"
	"time"
	_ "time/tzdata" // a container from scratch has no zone files, and names must mean the same everywhere
)

// zones remembers which time zone names exist: looking one up reads and parses
// its rules, some 20 µs that an import would pay on every line. Only existing
// names are kept, so it never holds more than the database's 600. Safe for
// concurrent use.
type zones struct {
	mu   sync.RWMutex
	seen map[string]struct{}
}

func newZones() *zones { return &zones{seen: map[string]struct{}{}} }

func (z *zones) known(name string) bool {
	z.mu.RLock()
	_, ok := z.seen[name]
	z.mu.RUnlock()
	if ok {
		return true
	}
	// "Local" is this machine's zone, which says nothing about a device.
	if name == "" || name == "Local" {
		return false
	}
	if _, err := time.LoadLocation(name); err != nil {
		return false
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.seen[name] = struct{}{}
	return true
}
