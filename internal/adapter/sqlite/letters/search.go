package letters

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// foundLetter is a letter that has what a filter searches for.
type foundLetter struct {
	seq, grp int64
	state    int
	deadAt   int64
}

// search returns the places, among seqs, of up to most letters with what the
// filter searches for, in the order of seqs. It reads no more of a letter than
// it looks into, which takes a third of the time.
func (s *Store) search(ctx context.Context, f *push.LetterFilter, seqs []int64, most int) ([]int64, error) {
	var hits []int64
	err := s.eachFound(ctx, f, seqs, func(l foundLetter) { hits = append(hits, l.seq) })
	if err != nil {
		return nil, err
	}
	slices.Sort(hits)
	if !f.OldestFirst {
		slices.Reverse(hits)
	}
	return hits[:min(len(hits), most)], nil
}

// eachFound visits the letters at seqs that have what the filter searches for.
func (s *Store) eachFound(ctx context.Context, f *push.LetterFilter, seqs []int64, visit func(foundLetter)) error {
	if len(seqs) == 0 {
		return nil
	}
	places, err := json.Marshal(seqs)
	if err != nil {
		return err
	}
	var body sql.RawBytes
	return rows.Each(ctx, s.file.Read(), func(row rows.Scanner) error {
		var at foundLetter
		var note string
		if err := row.Scan(&at.seq, &at.grp, &at.state, &at.deadAt, &note, &body); err != nil {
			return err
		}
		var l push.Letter
		if err := decodeLetter(&l, body); err != nil {
			return err
		}
		l.Reason, l.By = splitNote(note)
		if f.MatchText(&l) {
			visit(at)
		}
		return nil
	}, `SELECT l.seq, l.grp, l.state, l.dead_at, l.note, b.body FROM letter l JOIN letter_body b ON b.seq = l.seq
		WHERE l.seq IN (SELECT value FROM json_each(?))`, string(places))
}
