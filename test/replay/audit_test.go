package replay

import (
	"testing"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

// audit holds letters, ledger lines and the simulator's own ledger against each
// other after a replay.
type audit struct {
	*losses

	run           replay.Run
	before, after map[string]int  // how often the simulator accepted each token
	flagged       map[string]bool // possible duplicates, as the API reports them

	states   map[push.LetterState]int
	outcomes map[push.Code]int
	twice    int // tokens that were accepted more than once
	repeated int // tokens that were accepted more than once during the replay
}

// perCrash is what a killed dispatcher may have sent without a checkpoint: the
// replay lane has 4 chunks in hand, each with 25 requests under way and up to 50
// results that wait for the next checkpoint.
const perCrash = 4 * (25 + 50)

func (a *audit) check(t *testing.T, letters, discarded, crashes int) {
	t.Helper()
	a.states, a.outcomes = map[push.LetterState]int{}, map[push.Code]int{}
	lines := map[push.ChunkRef]map[int]int{} // how often each cell was reopened by the run
	original := 0
	all := a.all()
	for i := range all {
		l := &all[i]
		if l.ReplayOf == a.run.ID || l.Kind == push.LetterMessage && l.StoredAt.After(a.run.CreatedAt) {
			if l.State != push.LetterParked {
				t.Errorf("%s died in the replay and is %s", l.ID, l.State)
			}
			continue
		}
		original++
		a.states[l.State]++
		a.letter(t, l, lines)
	}
	if original != letters {
		t.Errorf("%d letters, want the %d of before", original, letters)
	}
	if got := a.states[push.LetterDiscarded]; got != discarded {
		t.Errorf("%d letters are discarded, want %d", got, discarded)
	}
	if a.states[push.LetterReplaying] != 0 || a.states[push.LetterReplayed] == 0 || a.states[push.LetterParked] == 0 {
		t.Errorf("states: %v", a.states)
	}
	a.tokensOnce(t)
	if most := crashes * perCrash; a.repeated > most {
		t.Errorf("%d recipients got it more than once in the replay, more than %d crashes of the dispatcher explain (%d)", a.repeated, crashes,
			most)
	}
}

// letter wants that a replayed letter was sent once, and one that was not
// replayed not at all.
func (a *audit) letter(t *testing.T, l *push.Letter, lines map[push.ChunkRef]map[int]int) {
	t.Helper()
	if l.Kind == push.LetterMessage {
		if l.State != push.LetterReplayed {
			t.Errorf("message %s (%s) is %s", l.ID, l.Code, l.State)
		}
		return
	}
	reopened := lines[l.Ref()]
	if reopened == nil {
		reopened = a.reopened(t, l.Ref())
		lines[l.Ref()] = reopened
	}
	token := a.tokens[l.Notification][l.Cell]
	more := a.after[token] - a.before[token]
	if l.State == push.LetterReplayed {
		a.outcomes[l.Outcome]++
		if reopened[l.Cell] != 1 {
			t.Errorf("%s was reopened %d times", l.ID, reopened[l.Cell])
		}
		if (l.Outcome == push.CodeSent) != (more > 0) {
			t.Errorf("%s ended as %s, and the simulator accepted it %d times", l.ID, l.Outcome, more)
		}
		return
	}
	if reopened[l.Cell] != 0 || more != 0 {
		t.Errorf("%s is %s, but was reopened %d times and accepted %d times", l.ID, l.State, reopened[l.Cell], more)
	}
}

// reopened counts the marks that the run left in a line's evidence.
func (a *audit) reopened(t *testing.T, ref push.ChunkRef) map[int]int {
	t.Helper()
	evidence, err := a.store.Attempts(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]int{}
	for i := range evidence {
		for cell := range ledger.ReopenedBy(evidence[i:i+1], a.run.ID) {
			out[cell]++
		}
	}
	return out
}

// tokensOnce wants that nobody who had been delivered to got it again, and that
// whoever got it twice is flagged.
func (a *audit) tokensOnce(t *testing.T) {
	t.Helper()
	for _, tokens := range a.tokens {
		for _, token := range tokens {
			n := a.after[token]
			if !a.dead[token] && a.before[token] > 0 && n != a.before[token] {
				t.Errorf("%s had been delivered to and got it again: %d, then %d times", token, a.before[token], n)
			}
			if n-a.before[token] > 1 {
				a.repeated++
			}
			if n < 2 {
				continue
			}
			a.twice++
			if !a.flagged[token] {
				t.Errorf("%s got it %d times and is not flagged", token, n)
			}
		}
	}
}
