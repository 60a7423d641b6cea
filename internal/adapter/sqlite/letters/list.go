package letters

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// searchMost bounds how many letters one page of a search for text reads: some
// 100 ms. The page then ends early, with a cursor.
const searchMost = 10_000

// searchStep is how many of them are read at once, after smaller steps at first:
// a text that is in most letters fills the page with the first few.
const searchStep = 2500

// Letters lists letters by arrival.
func (s *Store) Letters(ctx context.Context, f push.LetterFilter, after string, limit int) ([]push.Letter, string, error) {
	listing := "letters-newest-first"
	if f.OldestFirst {
		listing = "letters-oldest-first"
	}
	place, err := rows.CursorFields(listing, after, 1)
	if err != nil {
		return nil, "", err
	}
	at := int64(0)
	if place != nil {
		if at, err = strconv.ParseInt(place[0], 10, 64); err != nil || at < 1 {
			return nil, "", fmt.Errorf("cursor of %s: %w", listing, push.ErrCursor)
		}
	}
	page, next, err := s.letterPage(ctx, &f, at, rows.Limit(limit))
	if err != nil {
		return nil, "", fmt.Errorf("list dead letters: %w", err)
	}
	if next == 0 {
		return page, "", nil
	}
	return page, rows.Cursor(listing, strconv.FormatInt(next, 10)), nil
}

// letterPage returns up to limit letters behind the place at, and the place to
// go on from, 0 at the end.
func (s *Store) letterPage(ctx context.Context, f *push.LetterFilter, at int64, limit int) ([]push.Letter, int64, error) {
	groups, err := s.letterGroups(ctx, f)
	if err != nil || !slices.ContainsFunc(groups, func(g letterGroup) bool { return g.chosen }) {
		return nil, 0, err
	}
	streams, err := letterStreams(f, groups)
	if err != nil {
		return nil, 0, err
	}
	var page []push.Letter
	step := limit
	for read := 0; ; {
		if f.Searches() {
			step = min(2*step, searchStep)
		}
		seqs, err := s.letterSeqs(ctx, f, streams, at, step+1)
		if err != nil {
			return nil, 0, err
		}
		more := len(seqs) > step
		seqs = seqs[:min(len(seqs), step)]
		hits := seqs
		if f.Searches() {
			if hits, err = s.search(ctx, f, seqs, limit+1-len(page)); err != nil {
				return nil, 0, err
			}
		}
		letters, err := s.lettersAt(ctx, f, hits)
		if err != nil {
			return nil, 0, err
		}
		for i := range letters {
			if !f.Match(&letters[i].Letter) {
				continue // a text without the words, or moved since
			}
			if len(page) == limit {
				return page, at, nil
			}
			page = append(page, letters[i].Letter)
			at = letters[i].seq
		}
		if !more {
			return page, 0, nil
		}
		at = seqs[len(seqs)-1]
		if read += len(seqs); !f.Searches() || len(page) == limit || read >= searchMost {
			return page, at, nil
		}
	}
}

// letterSeqs merges the streams: the next places in order, up to limit.
func (s *Store) letterSeqs(ctx context.Context, f *push.LetterFilter, streams []letterStream, at int64, limit int) ([]int64, error) {
	var seqs []int64
	for _, stream := range streams {
		where, args := stream.where, slices.Clone(stream.args)
		order := `DESC`
		if f.OldestFirst {
			order = `ASC`
		}
		if at > 0 {
			comparison := `<`
			if f.OldestFirst {
				comparison = `>`
			}
			where, args = append(slices.Clone(where), `seq `+comparison+` ?`), append(args, at)
		}
		// The limit is a literal: bound, it would make SQLite prepare anew every time.
		query := `SELECT seq FROM letter ` + stream.index + ` WHERE ` + strings.Join(where, ` AND `) + ` ORDER BY seq ` + order + ` LIMIT ` +
			strconv.Itoa(limit)
		some, err := rows.Collect(ctx, s.file.Read(), func(row rows.Scanner) (seq int64, err error) {
			return seq, row.Scan(&seq)
		}, query, args...)
		if err != nil {
			return nil, err
		}
		seqs = append(seqs, some...)
	}
	slices.Sort(seqs)
	if !f.OldestFirst {
		slices.Reverse(seqs)
	}
	return seqs[:min(len(seqs), limit)], nil
}

func (s *Store) lettersAt(ctx context.Context, f *push.LetterFilter, seqs []int64) ([]storedLetter, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	places, err := json.Marshal(seqs)
	if err != nil {
		return nil, err
	}
	letters, err := rows.Collect(ctx, s.file.Read(), scanLetter, selectLetter+`WHERE l.seq IN (SELECT value FROM json_each(?)) ORDER BY l.seq`,
		string(places))
	if !f.OldestFirst {
		slices.Reverse(letters)
	}
	return letters, err
}
