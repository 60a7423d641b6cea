package letters

import (
	"context"
	"fmt"
	"strconv"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// LetterTally counts the letters that a replay claimed last.
func (s *Store) LetterTally(ctx context.Context, replay push.ID) (push.LetterTally, error) {
	t := push.LetterTally{ByOutcome: map[push.Code]int64{}}
	key := replayCounter(replay).item()
	found, err := s.db.Get(ctx, s.letters, key)
	if err == nil && found != nil {
		var repaired bool
		if repaired, err = s.finishAbandoned(ctx, []table.Item{found}); err == nil && repaired {
			found, err = s.db.Get(ctx, s.letters, key)
		}
	}
	if err != nil {
		return push.LetterTally{}, fmt.Errorf("tally of %s: %w", replay, err)
	}
	for counter, n := range counters(found) {
		switch {
		case n == 0:
		case counter == countReplaying:
			t.Replaying = n
		case counter == countReturned:
			t.Returned = n
		default:
			if code, ok := outcomeCounter(counter); ok {
				t.ByOutcome[code] = n
			}
		}
	}
	return t, nil
}

// outcomeCounter returns the outcome that a replay's counter counts.
func outcomeCounter(counter string) (push.Code, bool) {
	if len(counter) <= len(countOutcome) || counter[:len(countOutcome)] != countOutcome {
		return 0, false
	}
	n, err := strconv.ParseUint(counter[len(countOutcome):], 10, 8)
	return push.Code(n), err == nil
}
