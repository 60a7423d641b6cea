package dynamo

import (
	"strconv"

	"github.com/belfry-push/belfry/internal/push"
)

// posting adds to a counter.
type posting struct {
	Book    int    `json:"b"` // index into the call's books
	Counter string `json:"c"`
	N       int64  `json:"n"`
}

// change is what a call does to one letter.
type change struct {
	ID       push.ID   `json:"i"`
	Version  int64     `json:"v"` // after it
	Postings []posting `json:"p"`
}

// call collects what one call does to letters and books.
type call struct {
	w       nonce
	books   []book
	index   map[bookKey]int
	changes []change
}

func (s *Store) newCall() *call { return &call{w: s.newNonce(), index: map[bookKey]int{}} }

func (c *call) book(k bookKey) int {
	at, ok := c.index[k]
	if !ok {
		at = len(c.books)
		c.index[k] = at
		c.books = append(c.books, book{bookKey: k})
	}
	return at
}

// change notes that a letter goes from one form to another; nil is none.
func (c *call) change(before, after *storedLetter) {
	var x change
	post := func(l *storedLetter, n int64) {
		at := c.book(groupBook(groupHash(l.Fingerprint, l.Tenant, l.Queue), l.book))
		c.books[at].group = &l.Letter
		x.Postings = append(x.Postings, posting{at, string(l.State), n})
		if counter := tallied(&l.Letter); counter != "" {
			x.Postings = append(x.Postings, posting{c.book(tallyBook(l.Replay)), counter, n})
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
		b, dead := &c.books[x.Postings[0].Book], after.DeadAt.UnixMicro()
		if b.first == 0 || dead < b.first {
			b.first = dead
		}
		b.last = max(b.last, dead)
	}
	c.changes = append(c.changes, x)
}

// tallied is the counter of its replay in which a letter counts, "" for none.
func tallied(l *push.Letter) string {
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

// sums is what the changes that were made add to each book's counters.
func (c *call) sums(made []bool) []map[string]int64 {
	sums := make([]map[string]int64, len(c.books))
	for i := range sums {
		sums[i] = map[string]int64{}
	}
	for i, x := range c.changes {
		if !made[i] {
			continue
		}
		for _, p := range x.Postings {
			sums[p.Book][p.Counter] += p.N
		}
	}
	return sums
}
