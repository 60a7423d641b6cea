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
	// Dropped counts those of them that [API.Accepted] does not list any more, the oldest ones.
	Dropped uint64 `json:"dropped"`
	// UniqueTokens counts the different registration tokens and installation ids among them. One that was not sent to
	// for long counts again: as many others lie between as messages are kept.
	UniqueTokens uint64 `json:"unique_tokens"`
	// Duplicates counts messages accepted again for the same address: same data.belfry_id, or, without one, same body.
	// It looks back as far as UniqueTokens.
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
// called or records are dropped, so that sending hardly pays for it. It uses 64-bit hashes, whose probability of an error
// at ten million tokens is about 1 : 400,000. It is safe for concurrent use.
type uniqueCounts struct {
	seed maphash.Seed

	mu         sync.Mutex
	read       uint64 // records counted so far
	addresses  recent[uint64, struct{}]
	deliveries recent[uint64, struct{}]
	unique     uint64
	duplicates uint64
}

// newUniqueCounts looks back over at least so many different addresses and messages, 0 for all.
func newUniqueCounts(back int) *uniqueCounts {
	return &uniqueCounts{
		seed: maphash.MakeSeed(), addresses: newRecent[uint64, struct{}](back), deliveries: newRecent[uint64, struct{}](back),
	}
}

// update counts what was added to the ledger since the last time and returns the sums.
func (c *uniqueCounts) update(l *ledger) (accepted, unique, duplicates uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count(l)
	return c.read, c.unique, c.duplicates
}

// trim counts what is to be dropped from the ledger, and has it dropped, unless somebody else is at it.
func (c *uniqueCounts) trim(l *ledger) {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	c.count(l)
	l.trim(c.read)
}

// count counts what was added since the last time. The lock is held.
func (c *uniqueCounts) count(l *ledger) {
	for _, r := range l.since(c.read) {
		c.read++
		address := mix(maphash.String(c.seed, r.address) + uint64(r.tmpl.target))
		if r.tmpl.target == protojson.TargetToken || r.tmpl.target == protojson.TargetFID {
			if _, known := c.addresses.get(address); !known {
				c.unique++
				c.addresses.set(address, struct{}{})
			}
		}
		delivery := mix(address ^ r.tmpl.identity)
		if _, again := c.deliveries.get(delivery); again {
			c.duplicates++
		} else {
			c.deliveries.set(delivery, struct{}{})
		}
	}
}

// reset empties the ledger and the counts together: otherwise one of them would see half of the other.
func (c *uniqueCounts) reset(l *ledger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.reset()
	c.read, c.unique, c.duplicates = 0, 0, 0
	c.addresses.clear()
	c.deliveries.clear()
}
