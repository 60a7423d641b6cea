package sendapi

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/belfry-push/belfry/internal/fcmsim/protojson"
)

// Stats is what happened since the start or the last reset. Every request is counted under exactly one code, and
// Accepted = ByCode["OK"] + ByCode["DROP"] + those of ByCode["SUBSTITUTE"] that FCM took all the same.
type Stats struct {
	// Requests counts calls of the send endpoint.
	Requests uint64 `json:"requests"`
	// Accepted counts recorded messages, those whose answer was cut off included.
	Accepted uint64 `json:"accepted"`
	// UniqueTokens counts the different registration tokens and installation ids among them.
	UniqueTokens uint64 `json:"unique_tokens"`
	// Duplicates counts messages accepted again for the same address: same data.belfry_id, or, without one, same body.
	Duplicates uint64 `json:"duplicates"`
	// ByCode counts requests by how they ended: FCM's error code, or OK, VALIDATED (a good dry run),
	// UNAUTHENTICATED, PERMISSION_DENIED, HANG (never answered), DROP (accepted, then cut off), REFUSED (outage with
	// status 0) or SUBSTITUTE (answered by somebody else). Codes that did not occur are left out.
	ByCode map[string]uint64 `json:"by_code"`
	// Connections counts the connections that carried at least one send.
	Connections uint64 `json:"connections"`
}

// counters are the figures kept while requests run. They are safe for concurrent use.
type counters struct {
	byCode      [codeCount]atomic.Uint64
	connections atomic.Uint64
}

func (c *counters) reset() {
	for i := range c.byCode {
		c.byCode[i].Store(0)
	}
	c.connections.Store(0)
}

// uniqueCounts counts distinct addresses and messages among the accepted ones, only when Stats is
// called, so that sending does not pay for it. It uses 64-bit hashes, whose probability of an error
// at ten million tokens is about 1 : 400,000. It is safe for concurrent use.
type uniqueCounts struct {
	seed maphash.Seed

	mu         sync.Mutex
	read       uint64 // records counted so far
	addresses  map[uint64]struct{}
	deliveries map[uint64]struct{}
	duplicates uint64
}

func newUniqueCounts() *uniqueCounts {
	return &uniqueCounts{
		seed: maphash.MakeSeed(), addresses: make(map[uint64]struct{}), deliveries: make(map[uint64]struct{}),
	}
}

// update counts what was added to the ledger since the last time and returns the sums.
func (c *uniqueCounts) update(l *ledger) (accepted, unique, duplicates uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range l.since(c.read) {
		c.read++
		address := mix(maphash.String(c.seed, r.address) + uint64(r.tmpl.target))
		if r.tmpl.target == protojson.TargetToken || r.tmpl.target == protojson.TargetFID {
			c.addresses[address] = struct{}{}
		}
		delivery := mix(address ^ r.tmpl.identity)
		if _, again := c.deliveries[delivery]; again {
			c.duplicates++
		}
		c.deliveries[delivery] = struct{}{}
	}
	return c.read, uint64(len(c.addresses)), c.duplicates
}

// reset empties the ledger and the counts together: otherwise one of them would see half of the other.
func (c *uniqueCounts) reset(l *ledger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.reset()
	c.read, c.duplicates = 0, 0
	clear(c.addresses)
	clear(c.deliveries)
}
