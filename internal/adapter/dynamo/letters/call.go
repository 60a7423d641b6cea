package letters

import (
	"strconv"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// increment adds to a counter.
type increment struct {
	Item    int    `json:"b"` // index into the call's counter items
	Counter string `json:"c"`
	N       int64  `json:"n"`
}

// change is what a call does to one letter.
type change struct {
	ID         push.ID     `json:"i"`
	Version    int64       `json:"v"` // after it
	Increments []increment `json:"p"`
}

// call collects what one call does to letters and counter items.
type call struct {
	w            table.Nonce
	counterItems []counterItem
	index        map[counterKey]int
	changes      []change
}

func (s *Store) newCall() *call { return &call{w: s.db.NewNonce(), index: map[counterKey]int{}} }

func (c *call) counterItem(k counterKey) int {
	at, ok := c.index[k]
	if !ok {
		at = len(c.counterItems)
		c.index[k] = at
		c.counterItems = append(c.counterItems, counterItem{counterKey: k})
	}
	return at
}

// change notes that a letter goes from one form to another; nil is none.
func (c *call) change(before, after *storedLetter) {
	var x change
	post := func(l *storedLetter, n int64) {
		at := c.counterItem(groupCounter(groupHash(l.Fingerprint, l.Tenant, l.Queue), l.counterShard))
		c.counterItems[at].group = &l.Letter
		x.Increments = append(x.Increments, increment{at, string(l.State), n})
		if counter := replayCounterOf(&l.Letter); counter != "" {
			x.Increments = append(x.Increments, increment{c.counterItem(replayCounter(l.Replay)), counter, n})
		}
		x.ID = l.ID
	}
	if before != nil {
		post(before, -1)
		x.Version = before.Version + 1
	}
	if after != nil {
		post(after, 1)
		x.Version = after.Version
	}
	if before == nil {
		b, dead := &c.counterItems[x.Increments[0].Item], after.DeadAt.UnixMicro()
		if b.first == 0 || dead < b.first {
			b.first = dead
		}
		b.last = max(b.last, dead)
	}
	c.changes = append(c.changes, x)
}

// replayCounterOf is the counter of its replay in which a letter counts, "" for none.
func replayCounterOf(l *push.Letter) string {
	switch {
	case l.Replay == "":
	case l.State == push.LetterReplaying:
		return countReplaying
	case l.State == push.LetterReplayed && l.Kind == push.LetterMessage:
		return countReturned
	case l.State == push.LetterReplayed:
		return countOutcome + strconv.Itoa(int(l.Outcome))
	}
	return ""
}

// sums is what the changes that were made add to each counter item's counters.
func (c *call) sums(made []bool) []map[string]int64 {
	sums := make([]map[string]int64, len(c.counterItems))
	for i := range sums {
		sums[i] = map[string]int64{}
	}
	for i, x := range c.changes {
		if !made[i] {
			continue
		}
		for _, p := range x.Increments {
			sums[p.Item][p.Counter] += p.N
		}
	}
	return sums
}
