package letterstest

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

func moves(f *fixture) {
	l := f.put(f.recipient(1))[0]
	replay := push.NewID(push.PrefixReplay)
	for _, step := range []struct {
		name string
		move push.LetterMove
		made bool
	}{
		{"from parked straight to replayed", push.LetterMove{Version: 1, State: push.LetterReplayed}, false},
		{"of a version that is not there yet", push.LetterMove{Version: 2, State: push.LetterReplaying}, false},
		{"claim", push.LetterMove{Version: 1, State: push.LetterReplaying, Replay: replay}, true},
		{"the same again", push.LetterMove{Version: 1, State: push.LetterReplaying, Replay: replay}, false},
		{"discard while claimed", push.LetterMove{Version: 2, State: push.LetterDiscarded}, false},
		{"release", push.LetterMove{Version: 2, State: push.LetterParked, Reason: "not due"}, true},
		{"claim again", push.LetterMove{Version: 3, State: push.LetterReplaying}, true},
		{"replayed", push.LetterMove{Version: 4, State: push.LetterReplayed}, true},
		{"back to parked", push.LetterMove{Version: 5, State: push.LetterParked}, false},
		{"outcome", push.LetterMove{Version: 5, State: push.LetterReplayed, Outcome: push.CodeSent}, true},
	} {
		move := step.move
		move.ID, move.At = l.ID, epoch().Add(time.Duration(l.Version)*time.Hour)
		want, legal := l.Moved(move)
		if legal != step.made {
			f.Fatalf("%s: the table says %v", step.name, legal)
		}
		if made := f.move(move); made != step.made {
			f.Fatalf("%s: made is %v", step.name, made)
		}
		got, err := f.Letter(f.Context(), l.ID)
		f.must(err)
		f.same(step.name, got, want)
		l = want
	}
	if l.Replay != replay || l.Outcome != push.CodeSent {
		f.Errorf("the letter ends as %+v", l)
	}
	none, err := f.MoveLetters(f.Context(), nil)
	f.must(err)
	if len(none) != 0 {
		f.Errorf("no moves gave %d answers", len(none))
	}
}

func claimConcurrently(f *fixture) {
	letters := f.put(f.recipient(1), f.recipient(2), f.message(3))
	var wins atomic.Int64
	together(6, func(i int) {
		replay := push.ID(fmt.Sprintf("rpl_%s_%d", f.app, i))
		claims := make([]push.LetterMove, 0, len(letters))
		for k := range letters {
			claims = append(claims, push.LetterMove{ID: letters[k].ID, Version: 1, State: push.LetterReplaying, Replay: replay, At: epoch()})
		}
		moved, err := f.MoveLetters(f.Context(), claims)
		if err != nil {
			f.Error(err)
			return
		}
		for k, ok := range moved {
			if !ok {
				continue
			}
			wins.Add(1)
			if got, err := f.Letter(f.Context(), letters[k].ID); err != nil || got.Replay != replay {
				f.Errorf("the winner of %s finds it claimed by %s (%v)", letters[k].ID, got.Replay, err)
			}
		}
	})
	if n := wins.Load(); n != int64(len(letters)) {
		f.Errorf("%d claims won, want %d", n, len(letters))
	}
}

func discard(f *fixture) {
	letters := []push.Letter{f.recipient(1), f.message(2)}
	letters[0].Recipient.Data = map[string]string{"secret": "yes"}
	for _, l := range f.put(letters...) {
		if !f.move(push.LetterMove{ID: l.ID, Version: 1, State: push.LetterDiscarded, At: epoch(), Reason: "wrong audience", By: "zoë"}) {
			f.Fatal("not moved")
		}
		got, err := f.Letter(f.Context(), l.ID)
		f.must(err)
		want := l
		want.State, want.Version, want.MovedAt, want.Reason, want.By = push.LetterDiscarded, 2, epoch(), "wrong audience", "zoë"
		want.Recipient.Address.Value, want.Recipient.Data, want.Body = "", nil, nil
		f.same("tombstone", got, want)
		if got.Recipient.Address.Value != "" || len(got.Body) != 0 {
			f.Error("the tombstone holds what could be sent")
		}
	}
}

// randomWalk does the same to the driver and to [Memory] and compares.
func randomWalk(f *fixture) {
	r := rand.New(rand.NewPCG(4, 2))
	model := &Memory{}
	replays := []push.ID{push.NewID(push.PrefixReplay), push.NewID(push.PrefixReplay)}
	for round := range 15 {
		var fresh []push.Letter
		for range r.IntN(12) {
			if n := r.IntN(1000); r.IntN(4) == 0 {
				fresh = append(fresh, f.message(n))
			} else {
				fresh = append(fresh, f.recipient(n))
			}
		}
		f.put(fresh...)
		_, err := model.PutLetters(f.Context(), fresh)
		f.must(err)

		stored := f.all(push.LetterFilter{OldestFirst: true}, 100)
		var steps []push.LetterMove
		for range r.IntN(30) {
			if len(stored) == 0 {
				break
			}
			l := stored[r.IntN(len(stored))]
			m := push.LetterMove{
				ID: l.ID, Version: l.Version - int64(r.IntN(8)/7), State: push.LetterStates()[r.IntN(4)],
				At: epoch().Add(time.Duration(round) * time.Minute),
			}
			switch m.State {
			case push.LetterReplaying:
				m.Replay = replays[r.IntN(2)]
			case push.LetterReplayed:
				m.Outcome = []push.Code{push.CodeOpen, push.CodeSent, push.CodeAttemptsExhausted}[r.IntN(3)]
			case push.LetterParked, push.LetterDiscarded:
			}
			steps = append(steps, m)
		}
		got, err := f.MoveLetters(f.Context(), steps)
		f.must(err)
		want, err := model.MoveLetters(f.Context(), steps)
		f.must(err)
		f.same("which moves were made", got, want)
		f.compare(model, replays)
	}
}

func (f *fixture) compare(model *Memory, replays []push.ID) {
	f.Helper()
	got, want := f.all(push.LetterFilter{}, 100), (&fixture{T: f.T, Store: model, app: f.app}).all(push.LetterFilter{}, 100)
	f.same("letters", got, want)
	for _, filter := range []push.LetterFilter{
		{App: f.app}, {App: f.app, States: []push.LetterState{push.LetterParked}}, {App: f.app, DeadBefore: epoch().Add(time.Hour)},
	} {
		groups, err := f.LetterGroups(f.Context(), filter)
		f.must(err)
		wanted, err := model.LetterGroups(f.Context(), filter)
		f.must(err)
		sortGroups(groups)
		sortGroups(wanted)
		if diff := cmp.Diff(wanted, groups, groupOptions()); diff != "" {
			f.Fatalf("groups (-want +got):\n%s", diff)
		}
	}
	for _, replay := range replays {
		tally, err := f.LetterTally(f.Context(), replay)
		f.must(err)
		wanted, err := model.LetterTally(f.Context(), replay)
		f.must(err)
		f.same("tally", tally, wanted)
	}
}

// purge works on letters that moved long before those of other cases, which
// may share the store.
func purge(f *fixture) {
	ancient := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	letters := f.put(f.recipient(0), f.recipient(1), f.recipient(2), f.message(3))
	for i, state := range []push.LetterState{push.LetterDiscarded, push.LetterReplaying, push.LetterDiscarded} {
		if !f.move(push.LetterMove{ID: letters[i].ID, Version: 1, State: state, Replay: "rpl_" +
			push.ID(f.app), At: ancient.Add(time.Duration(i) * time.Hour)}) {
			f.Fatal("not moved")
		}
	}
	n, err := f.PurgeLetters(f.Context(), ancient.Add(time.Hour), 10)
	f.must(err)
	if n != 1 {
		f.Errorf("%d letters were purged, want the one that is old enough", n)
	}
	f.same("what is left", ids(f.all(push.LetterFilter{OldestFirst: true}, 10)), ids(letters[1:]))
	_, err = f.Letter(f.Context(), letters[0].ID)
	f.mustBe(err, push.ErrNotFound)
	if !f.move(push.LetterMove{ID: letters[1].ID, Version: 2, State: push.LetterReplayed, At: ancient}) {
		f.Fatal("not moved")
	}
	for _, want := range []int{1, 1, 0} {
		if n, err = f.PurgeLetters(f.Context(), ancient.Add(24*time.Hour), 1); err != nil || n != want {
			f.Fatalf("purged %d (%v), want %d at a time", n, err, want)
		}
	}
	groups, err := f.LetterGroups(f.Context(), push.LetterFilter{App: f.app})
	f.must(err)
	if len(groups) != 1 || groups[0].ByState[push.LetterParked] != 1 {
		f.Errorf("groups after a purge: %+v", groups)
	}
	tally, err := f.LetterTally(f.Context(), "rpl_"+push.ID(f.app))
	f.must(err)
	if tally.Sent() != 0 {
		f.Errorf("the tally counts %d letters that are gone", tally.Sent())
	}
	again := f.put(letters[0])
	f.same("a purged letter that is stored anew", ids(f.all(push.LetterFilter{States: []push.LetterState{push.LetterParked}}, 10)),
		[]push.ID{again[0].ID, letters[3].ID})
}
