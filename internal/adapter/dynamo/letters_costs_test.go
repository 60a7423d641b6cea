package dynamo

import (
	"fmt"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// lettersTable measures a letter's life in calls of 100 letters.
func (s *statement) lettersTable(t *testing.T) {
	t.Helper()
	s.heading("Dead letters")
	const page, replay = 100, push.ID("rpl_0189d3f2-6f0e-7c3b-9a54-2f1d8f0b7a11")
	letters := make([]push.Letter, page)
	for i := range letters {
		letters[i] = newLetter("app", i)
	}
	put := func(ls ...push.Letter) func(*Store) error {
		return func(s *Store) error { return second(s.PutLetters(t.Context(), ls)) }
	}
	// move moves all letters, and counts their versions on.
	move := func(state push.LetterState, after time.Duration, m push.LetterMove) func(*Store) error {
		m.State, m.At = state, at().Add(after)
		moves := make([]push.LetterMove, page)
		for i := range moves {
			moves[i] = m
			moves[i].ID, moves[i].Version = letters[i].ID, letters[i].Version
			letters[i].Version++
		}
		return func(s *Store) error {
			made, err := s.MoveLetters(t.Context(), moves)
			for i, ok := range made {
				if !ok {
					return fmt.Errorf("move %d was not made", i)
				}
			}
			return err
		}
	}
	alone := newLetter("app", page)
	s.line(t, "`PutLetters`, one", put(alone))
	s.line(t, "`PutLetters`, the same once more", put(alone))
	stored := s.line(t, "`PutLetters`, 100", put(letters...))
	s.line(t, "`Letter`", func(s *Store) error { return second(s.Letter(t.Context(), alone.ID)) })
	list := func(f push.LetterFilter) func(*Store) error {
		return func(s *Store) error { return third(s.Letters(t.Context(), f, "", 50)) }
	}
	parked := []push.LetterState{push.LetterParked}
	s.line(t, "`Letters`, the newest 50 that are parked", list(push.LetterFilter{States: parked}))
	s.line(t, "`Letters`, 50 of one cause in two queues", list(push.LetterFilter{States: parked, Fingerprint: alone.Fingerprint}))
	s.line(t, "`Letters`, 50 of one batch", list(push.LetterFilter{States: parked, Notification: alone.Notification}))
	s.line(t, "`LetterGroups`, two groups", func(s *Store) error { return second(s.LetterGroups(t.Context(), push.LetterFilter{})) })
	claimed := s.line(t, "`MoveLetters`, 100 claimed by a replay", move(push.LetterReplaying, time.Minute, push.LetterMove{Replay: replay}))
	sent := s.line(t, "`MoveLetters`, 100 sent again", move(push.LetterReplayed, 2*time.Minute, push.LetterMove{}))
	s.line(t, "`Letters`, 50 that wait for their outcome", list(push.LetterFilter{Replay: replay, Awaiting: true}))
	known := s.line(t, "`MoveLetters`, 100 learn their outcome",
		move(push.LetterReplayed, 3*time.Minute, push.LetterMove{Outcome: push.CodeSent}))
	s.line(t, "`LetterTally`", func(s *Store) error { return second(s.LetterTally(t.Context(), replay)) })
	purged := s.line(t, "`PurgeLetters`, 100", func(s *Store) error { return second(s.PurgeLetters(t.Context(), at().Add(time.Hour), page)) })

	s.heading("A million dead letters")
	total := bill{}
	for _, step := range []struct {
		what string
		bill
	}{
		{"stored", stored}, {"claimed", claimed}, {"sent again", sent}, {"known", known}, {"purged", purged},
	} {
		million := step.times(1e6 / page)
		s.print(step.what, million)
		total = total.plus(million)
	}
	s.print("**replayed in all**", total)
	dollars := func(b bill) float64 { return b.read*perRead + b.written()*perWrite }
	fmt.Fprintf(&s.b, "\nA million dead letters cost $%.2f to store, and $%.2f in all when they are replayed and purged.\n",
		dollars(stored.times(1e6/page)), dollars(total))
}
