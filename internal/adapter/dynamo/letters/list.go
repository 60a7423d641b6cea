package letters

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// letterReads bounds how many letters one page reads when the filter asks for
// what no index knows. The page then ends early, with a cursor.
const letterReads = 4000

// Letters lists letters by arrival. Indexes tell which letters to look at, and
// may trail by moments; what a page shows is read as it is now. A letter that is
// being stored while a listing runs may get a place that the listing has passed.
func (s *Store) Letters(ctx context.Context, f push.LetterFilter, after string, limit int) ([]push.Letter, string, error) {
	listing := "letters-newest-first"
	if f.OldestFirst {
		listing = "letters-oldest-first"
	}
	place, err := table.CursorPlace(listing, after)
	if err != nil {
		return nil, "", err
	}
	if place != "" && !isPlace(place) {
		return nil, "", fmt.Errorf("cursor of %s: %w", listing, push.ErrCursor)
	}
	page, next, err := s.letterPage(ctx, &f, place, table.Limit(limit))
	if err != nil {
		return nil, "", fmt.Errorf("list dead letters: %w", err)
	}
	out := make([]push.Letter, len(page))
	for i := range page {
		out[i] = page[i].Letter
	}
	if next == "" {
		return out, "", nil
	}
	return out, table.Cursor(listing, next), nil
}

// letterPage returns up to limit letters behind a place, and the place to go on
// from, "" at the end.
func (s *Store) letterPage(ctx context.Context, f *push.LetterFilter, place string, limit int) ([]storedLetter, string, error) {
	groups, err := s.groupsFor(ctx, f)
	if err != nil {
		return nil, "", err
	}
	w := s.walk(f, groups, place)
	var page []storedLetter
	// Rounds grow, so that what is rare is found in a few of them.
	for read, step := 0, limit+1; ; step = min(2*step, table.MaxList) {
		letters, last, err := w.next(ctx, step)
		if err != nil {
			return nil, "", err
		}
		for i := range letters {
			if !f.Match(&letters[i].Letter) {
				continue
			}
			if len(page) == limit {
				return page, page[limit-1].at, s.join(ctx, page)
			}
			page = append(page, letters[i])
		}
		if w.ended {
			return page, "", s.join(ctx, page)
		}
		if read += max(len(letters), 1); read >= letterReads {
			return page, last, s.join(ctx, page)
		}
	}
}

// groupsFor returns the groups of which a listing may take letters; nil, which
// is all of them, where the filter does not say or another index knows better.
func (s *Store) groupsFor(ctx context.Context, f *push.LetterFilter) (map[string]*push.LetterGroup, error) {
	asked := f.Queue != "" || f.Tenant != "" || f.App != "" || f.Code != push.CodeOpen || f.Class != push.ClassOpen || f.Fingerprint != ""
	if !asked || len(f.IDs) > 0 || f.Replay != "" || f.Notification != "" {
		return nil, nil
	}
	return s.countedGroups(ctx, f)
}

// HasLetters reports whether a letter of the notification is stored. The index may trail by moments.
func (s *Store) HasLetters(ctx context.Context, id push.ID) (bool, error) {
	for place := ""; ; {
		page, next, err := s.letterPage(ctx, &push.LetterFilter{Notification: id}, place, 1)
		if err != nil {
			return false, fmt.Errorf("dead letters of %s: %w", id, err)
		}
		if len(page) > 0 || next == "" {
			return len(page) > 0, nil
		}
		place = next
	}
}
