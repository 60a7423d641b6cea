package letters

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// attrCall is what a journal holds of a call.
const attrCall = "call"

// journal is a call as it is stored.
type journal struct {
	Items []journalCounter `json:"books"`
	// Changes are at most a thousand, of some 20 bytes each when deflated.
	Changes []change `json:"changes"`
}

type journalCounter struct {
	PK    string `json:"pk"`
	SK    string `json:"sk"`
	First int64  `json:"first,omitempty"`
	Last  int64  `json:"last,omitempty"`
}

func journalKey(w table.Nonce) table.Item {
	return table.Item{table.AttrPK: table.Text("journal#" + hex.EncodeToString(w[:])), table.AttrSK: table.Text(sortJournal)}
}

// writeJournal says what a call is about to do. Nobody reads that unless the
// call dies, and TTL removes it.
func (s *Store) writeJournal(ctx context.Context, c *call) error {
	j := journal{Changes: c.changes}
	for _, b := range c.counterItems {
		j.Items = append(j.Items, journalCounter{b.pk, b.sk, b.first, b.last})
	}
	packed, err := table.PackJSON(j)
	if err != nil {
		return err
	}
	i := journalKey(c.w)
	i[attrCall], i[table.TTLAttribute] = table.Blob(packed), table.Number(s.db.Expiry(s.db.Retention))
	if _, err := s.db.Put(ctx, s.letters, i, table.Expression{}, false); err != nil {
		return fmt.Errorf("write a journal: %w", err)
	}
	return nil
}

// abandoned returns the nonces of calls that marked a counter item so long ago that they
// must have died.
func (s *Store) abandoned(counterItem table.Item) []table.Nonce {
	var dead []table.Nonce
	for name := range counterItem {
		mark, ok := strings.CutPrefix(name, prefixMark)
		if !ok || s.db.Now().Sub(time.UnixMicro(counterItem.Number(name))) < markPatience {
			continue
		}
		var w table.Nonce
		if n, err := hex.Decode(w[:], []byte(mark)); err == nil && n == len(w) {
			dead = append(dead, w)
		}
	}
	return dead
}

// finishAbandoned settles the calls that died among those who marked the counter items, and tells
// whether there were any.
func (s *Store) finishAbandoned(ctx context.Context, counterItems []table.Item) (bool, error) {
	seen := map[table.Nonce]bool{}
	for _, b := range counterItems {
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
func (s *Store) finish(ctx context.Context, w table.Nonce, marked table.Item) error {
	found, err := s.db.Get(ctx, s.letters, journalKey(w))
	if err != nil {
		return err
	}
	c := &call{w: w}
	if found == nil { // older than the retention: its share can't be told any more
		c.counterItems = []counterItem{{counterKey: counterKey{marked.Text(table.AttrPK), marked.Text(table.AttrSK)}}}
		return s.settle(ctx, c, nil)
	}
	var j journal
	if err := table.UnpackJSON(found.Bytes(attrCall), &j); err != nil {
		return err
	}
	c.changes = j.Changes
	for _, b := range j.Items {
		c.counterItems = append(c.counterItems, counterItem{counterKey: counterKey{b.PK, b.SK}, first: b.First, last: b.Last})
	}
	keys := make([]table.Item, len(c.changes))
	for i, x := range c.changes {
		keys[i] = letterKey(x.ID)
	}
	items, err := s.db.BatchGet(ctx, s.letters, keys, true)
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
