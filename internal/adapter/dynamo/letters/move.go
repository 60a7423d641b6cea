package letters

import (
	"context"
	"fmt"
	"slices"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// MoveLetters applies the moves and tells which were made. Several moves of one
// letter become one write; when another process changes that letter meanwhile,
// none of them is made.
func (s *Store) MoveLetters(ctx context.Context, moves []push.LetterMove) ([]bool, error) {
	moved := make([]bool, 0, len(moves))
	for part := range slices.Chunk(moves, maxLetters) {
		made, err := s.moveLetters(ctx, part)
		if err != nil {
			return nil, fmt.Errorf("move %d dead letters: %w", len(moves), err)
		}
		moved = append(moved, made...)
	}
	return moved, nil
}

// movedLetter is a letter before and after the legal moves of one call.
type movedLetter struct {
	before, after storedLetter
	moves         []int // those that are made if the write wins
}

func (s *Store) moveLetters(ctx context.Context, moves []push.LetterMove) ([]bool, error) {
	ids := make([]push.ID, len(moves))
	for i := range moves {
		ids[i] = moves[i].ID
	}
	letters, err := s.lettersByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	c := s.newCall()
	movedLetters := applyMoves(letters, moves)
	for _, x := range movedLetters {
		x.after.write(c.w, len(x.moves))
		c.change(&x.before, &x.after)
	}
	made, err := s.writeCounted(ctx, c, func(ctx context.Context, i int) (bool, error) {
		return s.writeMoved(ctx, movedLetters[i], c.w)
	})
	if err != nil {
		return nil, err
	}
	moved := make([]bool, len(moves))
	for i, x := range movedLetters {
		for _, at := range x.moves {
			moved[at] = made[i]
		}
	}
	return moved, nil
}

// applyMoves applies the legal moves to the letters, in order, in memory only.
func applyMoves(letters map[push.ID]*storedLetter, moves []push.LetterMove) []*movedLetter {
	var movedLetters []*movedLetter
	of := map[push.ID]*movedLetter{}
	for i := range moves {
		stored := letters[moves[i].ID]
		if stored == nil {
			continue
		}
		x := of[stored.ID]
		if x == nil {
			x = &movedLetter{before: *stored, after: *stored}
		}
		next, ok := x.after.Moved(moves[i])
		if !ok {
			continue
		}
		x.after.Letter = next
		x.moves = append(x.moves, i)
		if of[stored.ID] == nil {
			of[stored.ID] = x
			movedLetters = append(movedLetters, x)
		}
	}
	return movedLetters
}

// writeMoved writes what became of a letter if nobody changed it meanwhile.
//
// The parts of a body that is apart go after the letter says that it is
// discarded; a crash in between leaves them to the purge.
func (s *Store) writeMoved(ctx context.Context, x *movedLetter, w table.Nonce) (bool, error) {
	i, err := x.after.encode()
	if err != nil {
		return false, err
	}
	if made, err := s.replace(ctx, i, &x.before, &x.after, w); err != nil || !made {
		return made, err
	}
	if x.after.State == push.LetterDiscarded {
		return true, s.deleteParts(ctx, x.after.ID, x.after.parts)
	}
	return true, nil
}

// replace writes a letter's item on condition of the version that was read, and
// reports whether it did.
func (s *Store) replace(ctx context.Context, i table.Item, before, after *storedLetter, w table.Nonce) (bool, error) {
	var e table.Expression
	e.Equal(table.AttrVersion, table.Number(before.Version))
	e.Equal(attrAt, table.Text(before.at)) // not one that was purged and stored anew
	_, err := s.db.Put(ctx, s.letters, i, e, false)
	if err == nil {
		return true, nil
	}
	stored, err := s.conflicting(ctx, err)
	if err != nil {
		return false, fmt.Errorf("%s: %w", after.ID, err)
	}
	return stored != nil && stored.made(after.Version, w), nil // true: our own write, whose answer got lost
}
