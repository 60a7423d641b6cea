package dynamo

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// attrCall is what a journal holds of a call.
const attrCall = "call"

// journal is a call as it is stored.
type journal struct {
	Books []journalBook `json:"books"`
	// Changes are at most a thousand, of some 20 bytes each when deflated.
	Changes []change `json:"changes"`
}

type journalBook struct {
	PK    string `json:"pk"`
	SK    string `json:"sk"`
	First int64  `json:"first,omitempty"`
	Last  int64  `json:"last,omitempty"`
}

func journalKey(w nonce) item {
	return item{attrPK: text("journal#" + hex.EncodeToString(w[:])), attrSK: text(sortJournal)}
}

// writeJournal says what a call is about to do. Nobody reads that unless the
// call dies, and TTL removes it.
func (s *Store) writeJournal(ctx context.Context, c *call) error {
	j := journal{Changes: c.changes}
	for _, b := range c.books {
		j.Books = append(j.Books, journalBook{b.pk, b.sk, b.first, b.last})
	}
	packed, err := packJSON(j)
	if err != nil {
		return err
	}
	i := journalKey(c.w)
	i[attrCall], i[TTLAttribute] = blob(packed), number(s.expiry(s.retention))
	if _, err := s.put(ctx, s.letters, i, expression{}, false); err != nil {
		return fmt.Errorf("write a journal: %w", err)
	}
	return nil
}

// abandoned returns the nonces of calls that marked a book so long ago that they
// must have died.
func (s *Store) abandoned(book item) []nonce {
	var dead []nonce
	for name := range book {
		mark, ok := strings.CutPrefix(name, prefixMark)
		if !ok || s.now().Sub(time.UnixMicro(book.number(name))) < markPatience {
			continue
		}
		var w nonce
		if n, err := hex.Decode(w[:], []byte(mark)); err == nil && n == len(w) {
			dead = append(dead, w)
		}
	}
	return dead
}

// tidy settles the calls that died among those who marked the books, and tells
// whether there were any.
func (s *Store) tidy(ctx context.Context, books []item) (bool, error) {
	seen := map[nonce]bool{}
	for _, b := range books {
		for _, w := range s.abandoned(b) {
			if seen[w] {
				continue
			}
			seen[w] = true
			if err := s.finish(ctx, w, b); err != nil {
				return false, fmt.Errorf("finish the call %x of a process that died: %w", w, err)
			}
		}
	}
	return len(seen) > 0, nil
}

// finish does the last step of a call that died: the letters' trails tell which
// of its changes were made. Several may do so at once; the first one counts.
func (s *Store) finish(ctx context.Context, w nonce, marked item) error {
	found, err := s.get(ctx, s.letters, journalKey(w))
	if err != nil {
		return err
	}
	c := &call{w: w}
	if found == nil { // older than the retention: its share can't be told any more
		c.books = []book{{bookKey: bookKey{marked.text(attrPK), marked.text(attrSK)}}}
		return s.settle(ctx, c, nil)
	}
	var j journal
	if err := unpackJSON(found.bytes(attrCall), &j); err != nil {
		return err
	}
	c.changes = j.Changes
	for _, b := range j.Books {
		c.books = append(c.books, book{bookKey: bookKey{b.PK, b.SK}, first: b.First, last: b.Last})
	}
	keys := make([]item, len(c.changes))
	for i, x := range c.changes {
		keys[i] = letterKey(x.ID)
	}
	items, err := s.batchGet(ctx, s.letters, keys, true)
	if err != nil {
		return err
	}
	letters := make(map[push.ID]*storedLetter, len(items))
	for _, i := range items {
		l, err := decodeLetter(i)
		if err != nil {
			return err
		}
		letters[l.ID] = &l
	}
	made := make([]bool, len(c.changes))
	for i, x := range c.changes {
		l := letters[x.ID]
		// One that is not there was never put, or is purged and gone since: then it
		// was counted out, and so must have been counted in.
		made[i] = l != nil && l.made(x.Version, w) || l == nil && x.Version > 1
	}
	return s.settle(ctx, c, made)
}
