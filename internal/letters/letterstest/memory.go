package letterstest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Memory keeps letters in a list and looks at all of them every time. It is the
// contract in its shortest form. The zero value is ready for use.
type Memory struct {
	mu      sync.Mutex
	letters []push.Letter // in the order of arrival; purged ones have no id
}

var _ Store = (*Memory)(nil)

// PutLetters stores those letters that are not there yet.
func (m *Memory) PutLetters(ctx context.Context, ls []push.Letter) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for i := range ls {
		if m.find(ls[i].ID) < 0 {
			m.letters = append(m.letters, ls[i])
			n++
		}
	}
	return n, ctx.Err()
}

func (m *Memory) find(id push.ID) int {
	return slices.IndexFunc(m.letters, func(l push.Letter) bool { return l.ID == id })
}

// Letter returns one letter, or push.ErrNotFound.
func (m *Memory) Letter(ctx context.Context, id push.ID) (push.Letter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(id)
	if i < 0 {
		return push.Letter{}, push.ErrNotFound
	}
	return m.letters[i], ctx.Err()
}

// Letters lists letters; its cursor is the place of the last one.
func (m *Memory) Letters(ctx context.Context, f push.LetterFilter, cursor string, limit int) ([]push.Letter, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	step, end, at := -1, -1, len(m.letters)
	if f.OldestFirst {
		step, end, at = 1, len(m.letters), -1
	}
	if cursor != "" {
		if _, err := fmt.Sscanf(cursor, "c%d", &at); err != nil || "c"+strconv.Itoa(at) != cursor {
			return nil, "", push.ErrCursor
		}
	}
	var page []push.Letter
	for at += step; at != end; at += step {
		if l := &m.letters[at]; l.ID != "" && f.Match(l) {
			if len(page) == limit {
				return page, "c" + strconv.Itoa(at-step), ctx.Err()
			}
			page = append(page, *l)
		}
	}
	return page, "", ctx.Err()
}

// LetterGroups counts the letters that the filter takes.
func (m *Memory) LetterGroups(ctx context.Context, f push.LetterFilter) ([]push.LetterGroup, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := f
	if f.GroupsOnly() {
		all.States = nil
	}
	groups := map[[3]string]*push.LetterGroup{}
	for i := range m.letters {
		l := &m.letters[i]
		if l.ID == "" || !all.Match(l) {
			continue
		}
		key := [3]string{l.Fingerprint, l.Tenant, l.Queue}
		g := groups[key]
		if g == nil {
			g = &push.LetterGroup{
				Fingerprint: l.Fingerprint, Tenant: l.Tenant, Queue: l.Queue, App: l.App, Code: l.Code, LastCode: l.LastCode,
				Template: l.Template, Pattern: l.Pattern, Sample: l.ID, ByState: map[push.LetterState]int64{}, FirstDeadAt: l.DeadAt,
				LastDeadAt: l.DeadAt,
			}
			groups[key] = g
		}
		g.ByState[l.State]++
		if l.DeadAt.Before(g.FirstDeadAt) {
			g.FirstDeadAt = l.DeadAt
		}
		if l.DeadAt.After(g.LastDeadAt) {
			g.LastDeadAt = l.DeadAt
		}
	}
	out := make([]push.LetterGroup, 0, len(groups))
	for g := range maps.Values(groups) {
		for s := range g.ByState {
			if f.MatchState(s) {
				out = append(out, *g)
				break
			}
		}
	}
	return out, ctx.Err()
}

// MoveLetters applies the moves.
func (m *Memory) MoveLetters(ctx context.Context, moves []push.LetterMove) ([]bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	moved := make([]bool, len(moves))
	for i, move := range moves {
		if at := m.find(move.ID); at >= 0 {
			m.letters[at], moved[i] = m.letters[at].Moved(move)
		}
	}
	return moved, ctx.Err()
}

// EraseLetter changes what a letter says of its recipient.
func (m *Memory) EraseLetter(ctx context.Context, id push.ID, change func(l *push.Letter)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at := m.find(id); at >= 0 {
		l := m.letters[at]
		change(&l)
		to := &m.letters[at]
		to.Recipient, to.Body, to.Detail = l.Recipient, l.Body, l.Detail
		to.Version++
	}
	return ctx.Err()
}

// LetterTally counts the letters that a replay claimed last.
func (m *Memory) LetterTally(ctx context.Context, replay push.ID) (push.LetterTally, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := push.LetterTally{ByOutcome: map[push.Code]int64{}}
	for i := range m.letters {
		l := &m.letters[i]
		switch {
		case l.ID == "" || l.Replay != replay:
		case l.State == push.LetterReplaying:
			t.Replaying++
		case l.State == push.LetterReplayed && l.Kind == push.LetterMessage:
			t.Returned++
		case l.State == push.LetterReplayed:
			t.ByOutcome[l.Outcome]++
		}
	}
	return t, ctx.Err()
}

// PurgeLetters removes letters that are done with.
func (m *Memory) PurgeLetters(ctx context.Context, before time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for i := range m.letters {
		l := &m.letters[i]
		if n < limit && l.ID != "" && (l.State == push.LetterReplayed || l.State == push.LetterDiscarded) && l.MovedAt.Before(before) {
			*l = push.Letter{}
			n++
		}
	}
	return n, ctx.Err()
}
