package letters

import (
	"context"
	"fmt"
	"slices"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the DynamoDB driver of dead letters. It is
// safe for concurrent use by any number of goroutines and processes; every write is
// durable when it returns.
type Store struct {
	db *table.Client

	letters string // table name
	shard   uint64 // chosen for this process, see bookShards
}

// New returns the driver on the tables whose names begin with prefix.
func New(db *table.Client, prefix string) *Store {
	return &Store{db: db, letters: prefix + suffixLetters, shard: db.Random()}
}

// maxLetters is how many letters one call of the store writes with one journal.
const maxLetters = 1000

// PutLetters stores those letters that are not there yet, as they are, and
// returns how many. Letter and counters are written in the order that
// counters.go states; a letter is stored on condition that its id is free.
// Their places follow the clocks of the processes that store them.
func (s *Store) PutLetters(ctx context.Context, ls []push.Letter) (int, error) {
	stored := 0
	for part := range slices.Chunk(ls, maxLetters) {
		n, err := s.putLetters(ctx, part)
		if stored += n; err != nil {
			return stored, fmt.Errorf("put %d dead letters: %w", len(ls), err)
		}
	}
	return stored, nil
}

func (s *Store) putLetters(ctx context.Context, ls []push.Letter) (int, error) {
	c, stamp, shard := s.newCall(), s.db.NextStamp(), int(s.shard%counterShards)
	letters := make([]*storedLetter, 0, len(ls))
	twice := make(map[push.ID]bool, len(ls))
	for i := range ls {
		if twice[ls[i].ID] {
			continue
		}
		twice[ls[i].ID] = true
		l := &storedLetter{Letter: ls[i], at: placeOf(stamp, c.w, i), counterShard: shard}
		l.write(c.w, 1)
		letters = append(letters, l)
		c.change(nil, l)
	}
	made, err := s.writeCounted(ctx, c, func(ctx context.Context, i int) (bool, error) { return s.putLetter(ctx, letters[i], c.w) })
	n := 0
	for _, ok := range made {
		if ok {
			n++
		}
	}
	return n, err
}

// putLetter stores one letter unless there is one, and reports whether it did.
func (s *Store) putLetter(ctx context.Context, l *storedLetter, w table.Nonce) (bool, error) {
	if err := s.cut(ctx, l, w); err != nil {
		return false, fmt.Errorf("body of %s: %w", l.ID, err)
	}
	i, err := l.encode()
	if err != nil {
		return false, err
	}
	var e table.Expression
	e.AbsentOrExpired(table.AttrPK, s.db.Now().Unix())
	_, err = s.db.Put(ctx, s.letters, i, e, false)
	if err == nil {
		return true, nil
	}
	stored, err := s.conflicting(ctx, err)
	if err != nil {
		return false, fmt.Errorf("%s: %w", l.ID, err)
	}
	if stored != nil && stored.made(l.Version, w) {
		return true, nil // our own write, whose answer got lost
	}
	return false, s.deleteParts(ctx, l.ID, l.parts)
}

// conflicting returns the letter that made a conditional write lose, nil if it is
// gone.
func (s *Store) conflicting(ctx context.Context, err error) (*storedLetter, error) {
	found, err := s.db.Winner(ctx, err)
	if err != nil || found == nil {
		return nil, err
	}
	l, err := decodeLetter(found)
	return &l, err
}

// Letter returns one letter, or push.ErrNotFound.
func (s *Store) Letter(ctx context.Context, id push.ID) (push.Letter, error) {
	found, err := s.db.Get(ctx, s.letters, letterKey(id))
	if err == nil && s.db.Live(found) == nil {
		err = push.ErrNotFound
	}
	var l storedLetter
	if err == nil {
		l, err = decodeLetter(found)
	}
	if err == nil {
		whole := []storedLetter{l}
		err = s.join(ctx, whole)
		l = whole[0]
	}
	if err != nil {
		return push.Letter{}, fmt.Errorf("dead letter %s: %w", id, err)
	}
	return l.Letter, nil
}

// lettersByID reads letters as they are now, in any order; absent and purged
// ones are left out.
func (s *Store) lettersByID(ctx context.Context, ids []push.ID) (map[push.ID]*storedLetter, error) {
	keys := make([]table.Item, len(ids))
	for i, id := range ids {
		keys[i] = letterKey(id)
	}
	found, err := s.db.BatchGet(ctx, s.letters, keys, true)
	if err != nil {
		return nil, err
	}
	letters := make(map[push.ID]*storedLetter, len(found))
	for _, i := range found {
		if s.db.Live(i) == nil {
			continue
		}
		l, err := decodeLetter(i)
		if err != nil {
			return nil, err
		}
		letters[l.ID] = &l
	}
	return letters, nil
}
