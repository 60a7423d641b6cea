package letters

import (
	"context"
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// letterGroup is a stored group, and whether a filter may take letters of it.
type letterGroup struct {
	push.LetterGroup

	id     int64
	chosen bool
}

// letterGroups reads all groups that have letters.
func (s *Store) letterGroups(ctx context.Context, f *push.LetterFilter) ([]letterGroup, error) {
	return rows.Collect(ctx, s.file.Read(), func(row rows.Scanner) (letterGroup, error) {
		g, err := scanGroup(row)
		g.chosen = f.MatchGroup(&g.LetterGroup)
		return g, err
	}, `SELECT id, fingerprint, tenant, queue, app, code, last_code, template, pattern, sample, first_dead, last_dead,
		parked, replaying, replayed, discarded FROM letter_group`)
}

func scanGroup(row rows.Scanner) (letterGroup, error) {
	var g letterGroup
	var first, last int64
	var n [letterDiscarded + 1]int64
	err := row.Scan(&g.id, &g.Fingerprint, &g.Tenant, &g.Queue, &g.App, &g.Code, &g.LastCode, &g.Template, &g.Pattern, &g.Sample,
		&first, &last, &n[letterParked], &n[letterReplaying], &n[letterReplayed], &n[letterDiscarded])
	g.FirstDeadAt, g.LastDeadAt = rows.FromMicros(first), rows.FromMicros(last)
	g.ByState = make(map[push.LetterState]int64, len(n))
	for i, state := range letterStates() {
		if n[i] > 0 {
			g.ByState[state] = n[i]
		}
	}
	return g, err
}

// LetterGroups counts the letters that the filter takes: from the sums if it
// asks for groups only, otherwise from the rows, and by reading the letters when
// it asks for text.
func (s *Store) LetterGroups(ctx context.Context, f push.LetterFilter) ([]push.LetterGroup, error) {
	groups, err := s.letterGroups(ctx, &f)
	if err == nil {
		switch {
		case f.GroupsOnly():
		case f.Searches():
			err = s.countByReading(ctx, &f, groups)
		default:
			err = s.countRows(ctx, &f, groups)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	var out []push.LetterGroup
	for i := range groups {
		g := &groups[i]
		wanted := false
		for state := range g.ByState {
			wanted = wanted || f.MatchState(state)
		}
		if g.chosen && wanted {
			out = append(out, g.LetterGroup)
		}
	}
	return out, nil
}

// countRows replaces the groups' sums by counts of the rows that match.
func (s *Store) countRows(ctx context.Context, f *push.LetterFilter, groups []letterGroup) error {
	byID := emptied(groups)
	streams, err := letterStreams(f, groups)
	if err != nil {
		return err
	}
	for _, stream := range streams {
		err := rows.Each(ctx, s.file.Read(), func(row rows.Scanner) error {
			var grp, n, first, last int64
			var state int
			if err := row.Scan(&grp, &state, &n, &first, &last); err != nil {
				return err
			}
			if g := byID[grp]; g != nil && state < len(letterStates()) {
				g.add(letterStates()[state], n, first, last)
			}
			return nil
		}, `SELECT grp, state, count(*), min(dead_at), max(dead_at) FROM letter `+stream.index+
			` WHERE `+strings.Join(stream.where, ` AND `)+` GROUP BY grp, state`, stream.args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// countByReading does the same for what only the letters themselves tell.
func (s *Store) countByReading(ctx context.Context, f *push.LetterFilter, groups []letterGroup) error {
	byID := emptied(groups)
	streams, err := letterStreams(f, groups)
	if err != nil {
		return err
	}
	for at := int64(0); ; {
		seqs, err := s.letterSeqs(ctx, f, streams, at, searchStep)
		if err != nil {
			return err
		}
		err = s.eachFound(ctx, f, seqs, func(l foundLetter) {
			if g := byID[l.grp]; g != nil && l.state < len(letterStates()) {
				g.add(letterStates()[l.state], 1, l.deadAt, l.deadAt)
			}
		})
		if err != nil {
			return err
		}
		if len(seqs) < searchStep {
			return nil
		}
		at = seqs[len(seqs)-1]
	}
}

// emptied takes the sums out of the groups and returns them by id.
func emptied(groups []letterGroup) map[int64]*letterGroup {
	byID := make(map[int64]*letterGroup, len(groups))
	for i := range groups {
		clear(groups[i].ByState)
		byID[groups[i].id] = &groups[i]
	}
	return byID
}

func (g *letterGroup) add(state push.LetterState, n, first, last int64) {
	if len(g.ByState) == 0 {
		g.FirstDeadAt, g.LastDeadAt = rows.FromMicros(first), rows.FromMicros(last)
	}
	g.ByState[state] += n
	if t := rows.FromMicros(first); t.Before(g.FirstDeadAt) {
		g.FirstDeadAt = t
	}
	if t := rows.FromMicros(last); t.After(g.LastDeadAt) {
		g.LastDeadAt = t
	}
}
