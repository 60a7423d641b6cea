package dynamo

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/push"
)

// A book is an item that counts letters: those of one group, spread over a few
// books, or those of one replay. Its counters change together with the letters
// although they are other items:
//
//  1. the journal: which letters a call is about to change, and what each change
//     adds to which counter
//  2. every book of the call gets a mark, p_<nonce>
//  3. the letters, each on condition of its version, each with the nonce in its
//     trail
//  4. every book of the call: what the changes that were made come to, added on
//     condition that the mark is there, which goes in the same write
//
// So a write that is repeated adds nothing twice. A crash after 1 leaves a
// journal that TTL removes, a crash later leaves marks. Whoever reads a book and
// finds a mark that is older than any call lasts does step 4: the journal names
// the letters, and their trails tell which changes were made. Until then the
// counters of that call trail; letters never do.

// Attributes of a book. Its counters begin with prefixCount, its marks with
// prefixMark.
const (
	attrGroupName = "group"      // JSON of what the letters of a group have in common
	attrSample    = "sample"     // id of its first letter
	attrFirst     = "first_dead" // microseconds since 1970
	attrLastDead  = "last_dead"
	attrMarks     = "marks" // how many there are
	attrCalls     = "calls" // how many there ever were
	prefixCount   = "n_"
	prefixMark    = "p_"
)

// Counters of a replay's book, beside one for every outcome.
const (
	countReplaying = "replaying"
	countReturned  = "returned"
	countOutcome   = "o" // followed by the push.Code
)

// callPatience is how long a call may work on letters, and markPatience after
// how long its marks are taken for those of one that died.
const (
	callPatience = 2 * time.Minute
	markPatience = 5 * time.Minute
)

// bookKey is the primary key of a book.
type bookKey struct{ pk, sk string }

func (k bookKey) item() item { return item{attrPK: text(k.pk), attrSK: text(k.sk)} }

func groupPartition(shard int) string { return "groups#" + strconv.Itoa(shard) }

// groupBook is where letters of a group are counted that one process stored.
// Groups of one process, and one group of several, lie in different partitions.
func groupBook(hash string, shard int) bookKey {
	at := (int(hash[0]) + int(hash[1]) + shard) % letterShards
	return bookKey{groupPartition(at), hash + "#" + strconv.Itoa(shard)}
}

func tallyBook(replay push.ID) bookKey { return bookKey{"replay#" + string(replay), sortTally} }

// book is what a call does to one book.
type book struct {
	bookKey

	group *push.Letter // one of the group's letters; nil for a replay's book
	// first and last are of letters that are put, in microseconds; 0 for none, or
	// where the book spans them already.
	first, last int64
}

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

// keep does the four steps. write makes the call's i-th change and tells
// whether it was made. On an error the marks stay, because nobody knows what was
// written; they are settled later.
func (s *Store) keep(ctx context.Context, c *call, write func(ctx context.Context, i int) (bool, error)) ([]bool, error) {
	made := make([]bool, len(c.changes))
	if len(c.changes) == 0 {
		return made, nil
	}
	working, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	if err := s.writeJournal(working, c); err != nil {
		return nil, err
	}
	err := concurrently(working, len(c.books), func(ctx context.Context, i int) error { return s.mark(ctx, c.w, &c.books[i]) })
	if err != nil {
		return nil, fmt.Errorf("mark books: %w", err)
	}
	err = concurrently(working, len(c.changes), func(ctx context.Context, i int) (err error) {
		made[i], err = write(ctx, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	// The letters stand; the books follow even if the caller has gone.
	const grace = 15 * time.Second
	settling, stop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer stop()
	return made, s.settle(settling, c, made)
}

func markName(w nonce) string { return prefixMark + hex.EncodeToString(w[:]) }

// mark announces a call to a book, and makes the book if it is the first.
func (s *Store) mark(ctx context.Context, w nonce, b *book) error {
	var e expression
	e.absent(markName(w))
	e.set(markName(w), number(s.now().UnixMicro()))
	e.add(attrMarks, 1)
	e.add(attrCalls, 1)
	if b.group != nil {
		name, err := packJSON(groupNameOf(b.group))
		if err != nil {
			return err
		}
		e.set(attrGroupName, blob(name))
		e.setIfAbsent(attrSample, text(string(b.group.ID)))
	}
	found, err := s.change(ctx, s.letters, b.item(), e, types.ReturnValueAllNew)
	if err != nil { // that the mark is there already: the answer to the first of two tries got lost
		if found, err = s.winner(ctx, err); err != nil {
			return err
		}
	}
	b.span(found)
	return nil
}

// span forgets the times that a stored book spans.
func (b *book) span(found item) {
	if found.has(attrFirst) && found.number(attrFirst) <= b.first {
		b.first = 0
	}
	if found.has(attrLastDead) && found.number(attrLastDead) >= b.last {
		b.last = 0
	}
}

// settle adds to all books what the changes that were made come to.
func (s *Store) settle(ctx context.Context, c *call, made []bool) error {
	sums := c.sums(made)
	err := concurrently(ctx, len(c.books), func(ctx context.Context, i int) error { return s.settleOne(ctx, c.w, &c.books[i], sums[i]) })
	if err != nil {
		return fmt.Errorf("settle books: %w", err)
	}
	return nil
}

// settleOne adds to one book's counters and takes the mark out. A book without
// the mark was settled before. The times only ever span more: they are written
// on condition that they do.
func (s *Store) settleOne(ctx context.Context, w nonce, b *book, sums map[string]int64) error {
	for range conflictTries {
		var e expression
		e.where("attribute_exists(" + e.name(markName(w)) + ")")
		e.drop(markName(w))
		e.add(attrMarks, -1)
		for counter, n := range sums {
			if n != 0 {
				e.add(prefixCount+counter, n)
			}
		}
		if b.first != 0 {
			e.setIf(attrFirst, b.first, ">")
		}
		if b.last != 0 {
			e.setIf(attrLastDead, b.last, "<")
		}
		found, err := s.winner(ctx, s.update(ctx, s.letters, b.item(), e))
		if err != nil || found == nil || !found.has(markName(w)) {
			return err
		}
		b.span(found)
	}
	return fmt.Errorf("book %s %s: %w", b.pk, b.sk, push.ErrConflict)
}

// counters returns a book's counters by name.
func (i item) counters() map[string]int64 {
	counters := map[string]int64{}
	for name := range i {
		if counter, ok := strings.CutPrefix(name, prefixCount); ok {
			counters[counter] = i.number(name)
		}
	}
	return counters
}
