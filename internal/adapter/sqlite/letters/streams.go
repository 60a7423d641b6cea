package letters

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// letterStream is one ordered run through an index; a listing merges a few.
type letterStream struct {
	index string
	where []string
	args  []any
}

// fewGroups is up to how many groups a listing asks for each on its own: every
// one costs a seek. More of them are dense enough in the order of arrival.
const fewGroups = 16

// letterStreams chooses how to go through the letters that the filter takes: by
// the index in which the rows of no interest are fewest. A listing by seq may
// never sort, so each stream is an equality on all columns before seq.
func letterStreams(f *push.LetterFilter, groups []letterGroup) ([]letterStream, error) {
	states, err := stateNumbers(f)
	if err != nil {
		return nil, err
	}
	rest, err := rowConditions(f, groups, states)
	if err != nil {
		return nil, err
	}
	var out []letterStream
	add := func(index string, where []string, args ...any) {
		out = append(out, letterStream{index: index, where: append(where, rest.where...), args: append(args, rest.args...)})
	}
	var chosen []int64
	for _, g := range groups {
		if g.chosen {
			chosen = append(chosen, g.id)
		}
	}
	switch {
	case len(f.IDs) > 0:
		ids, err := json.Marshal(f.IDs)
		if err != nil {
			return nil, err
		}
		add(``, []string{`id IN (SELECT value FROM json_each(?))`}, string(ids))
	case f.Replay != "" && f.Awaiting:
		add(`INDEXED BY letter_awaiting`, []string{`state = 2`, `outcome = 0`, `cell >= 0`, `replay = ?`}, f.Replay)
	case f.Replay != "":
		for _, state := range states {
			add(`INDEXED BY letter_by_replay`, []string{`replay <> ''`, `replay = ?`, `state = ` + strconv.Itoa(state)}, f.Replay)
		}
	case f.Notification != "":
		add(`INDEXED BY letter_by_notification`, []string{`notification <> ''`, `notification = ?`}, f.Notification)
	case len(chosen) <= fewGroups:
		for _, grp := range chosen {
			for _, state := range states {
				add(`INDEXED BY letter_by_group`, []string{`grp = ?`, `state = ` + strconv.Itoa(state)}, grp)
			}
		}
	default:
		for _, state := range states {
			add(`INDEXED BY letter_by_state`, []string{`state = ` + strconv.Itoa(state)})
		}
	}
	return out, nil
}

func stateNumbers(f *push.LetterFilter) ([]int, error) {
	wanted := f.States
	if len(wanted) == 0 {
		wanted = letterStates()
	}
	seen := map[int]bool{}
	var states []int
	for _, s := range wanted {
		n, err := letterStateNumber(s)
		if err != nil {
			return nil, err
		}
		if !seen[n] {
			seen[n] = true
			states = append(states, n)
		}
	}
	return states, nil
}

// rowConditions are what the filter asks of a row, whatever the index.
func rowConditions(f *push.LetterFilter, groups []letterGroup, states []int) (letterStream, error) {
	var c letterStream
	add := func(where string, args ...any) { c.where, c.args = append(c.where, where), append(c.args, args...) }
	if len(states) < len(letterStates()) {
		list := make([]string, len(states))
		for i, n := range states {
			list[i] = strconv.Itoa(n)
		}
		add(`state IN (` + strings.Join(list, `, `) + `)`)
	}
	var chosen []int64
	for _, g := range groups {
		if g.chosen {
			chosen = append(chosen, g.id)
		}
	}
	if len(chosen) < len(groups) {
		ids, err := json.Marshal(chosen)
		if err != nil {
			return c, err
		}
		add(`grp IN (SELECT value FROM json_each(?))`, string(ids))
	}
	if f.Notification != "" {
		add(`notification = ?`, f.Notification)
	}
	if f.Replay != "" {
		add(`replay = ?`, f.Replay)
	}
	if f.Awaiting {
		add(`state = 2 AND outcome = 0 AND cell >= 0`)
	}
	if !f.DeadAfter.IsZero() {
		add(`dead_at >= ?`, rows.Micros(f.DeadAfter))
	}
	if !f.DeadBefore.IsZero() {
		add(`dead_at < ?`, rows.Micros(f.DeadBefore))
	}
	if !f.StoredBefore.IsZero() {
		add(`stored_at < ?`, rows.Micros(f.StoredBefore))
	}
	if !f.MovedBefore.IsZero() {
		add(`moved_at < ?`, rows.Micros(f.MovedBefore))
	}
	return c, nil
}
