package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/push"
)

// groupName is what the letters of a group have in common, as books hold it.
type groupName struct {
	Fingerprint string    `json:"fingerprint"`
	Tenant      string    `json:"tenant,omitempty"`
	Queue       string    `json:"queue"`
	App         string    `json:"app,omitempty"`
	Code        push.Code `json:"code"`
	LastCode    push.Code `json:"last_code,omitzero"`
	Template    string    `json:"template,omitempty"`
	Pattern     string    `json:"pattern,omitempty"`
}

func groupNameOf(l *push.Letter) groupName {
	return groupName{l.Fingerprint, l.Tenant, l.Queue, l.App, l.Code, l.LastCode, l.Template, l.Pattern}
}

// LetterGroups counts the letters that the filter takes: from the books if it
// asks for groups only, otherwise from the letters.
func (s *Store) LetterGroups(ctx context.Context, f push.LetterFilter) ([]push.LetterGroup, error) {
	groups, err := s.chosenGroups(ctx, &f)
	if err == nil && !f.GroupsOnly() {
		err = s.countLetters(ctx, &f, groups)
	}
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	var out []push.LetterGroup
	for _, g := range groups {
		for state, n := range g.ByState {
			if n > 0 && f.MatchState(state) {
				out = append(out, *g)
				break
			}
		}
	}
	return out, nil
}

// chosenGroups sums the books of the groups that the filter may take letters of,
// by hash.
func (s *Store) chosenGroups(ctx context.Context, f *push.LetterFilter) (map[string]*push.LetterGroup, error) {
	books, err := s.books(ctx)
	if err != nil {
		return nil, err
	}
	repaired, err := s.tidy(ctx, books)
	if err == nil && repaired {
		books, err = s.books(ctx)
	}
	if err != nil {
		return nil, err
	}
	groups := map[string]*push.LetterGroup{}
	for _, b := range books {
		hash, _, _ := strings.Cut(b.text(attrSK), "#")
		g := groups[hash]
		if g == nil {
			var name groupName
			if err := unpackJSON(b.bytes(attrGroupName), &name); err != nil {
				return nil, fmt.Errorf("book %s: %w", b.text(attrSK), err)
			}
			g = &push.LetterGroup{
				Fingerprint: name.Fingerprint, Tenant: name.Tenant, Queue: name.Queue, App: name.App, Code: name.Code, LastCode: name.LastCode,
				Template: name.Template, Pattern: name.Pattern, Sample: push.ID(b.text(attrSample)), ByState: map[push.LetterState]int64{},
			}
			groups[hash] = g
		}
		widen(g, b.time(attrFirst), b.time(attrLastDead))
		for counter, n := range b.counters() {
			if state := push.LetterState(counter); slices.Contains(push.LetterStates(), state) && n != 0 {
				g.ByState[state] += n
			}
		}
	}
	for hash, g := range groups {
		if !f.MatchGroup(g) {
			delete(groups, hash)
		}
	}
	return groups, nil
}

// widen makes a group span more.
func widen(g *push.LetterGroup, first, last time.Time) {
	if !first.IsZero() && (g.FirstDeadAt.IsZero() || first.Before(g.FirstDeadAt)) {
		g.FirstDeadAt = first
	}
	if last.After(g.LastDeadAt) {
		g.LastDeadAt = last
	}
}

// books reads the books of all groups, their partitions at once.
func (s *Store) books(ctx context.Context) ([]item, error) {
	var mu sync.Mutex
	var all []item
	err := concurrently(ctx, letterShards, func(ctx context.Context, shard int) error {
		found, err := s.partition(ctx, groupPartition(shard))
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return err
	})
	return all, err
}

// partition reads all items of one partition.
func (s *Store) partition(ctx context.Context, pk string) ([]item, error) {
	var e expression
	cond := e.name(attrPK) + " = " + e.value("pk", text(pk))
	m := s.merge(attrSK, false, queries{&dynamodb.QueryInput{
		TableName: &s.letters, KeyConditionExpression: &cond, ConsistentRead: new(true),
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	}})
	var all []item
	for {
		i, err := m.next(ctx)
		if err != nil || i == nil {
			return all, err
		}
		all = append(all, i)
	}
}

// countLetters replaces the books' sums by counts of the letters that match.
func (s *Store) countLetters(ctx context.Context, f *push.LetterFilter, groups map[string]*push.LetterGroup) error {
	for _, g := range groups {
		clear(g.ByState)
		g.FirstDeadAt, g.LastDeadAt = time.Time{}, time.Time{}
	}
	w, err := s.walk(f, groups, "")
	if err != nil {
		return err
	}
	for {
		letters, _, err := w.next(ctx, maxLetters)
		if err != nil {
			return err
		}
		for i := range letters {
			l := &letters[i].Letter
			if g := groups[groupHash(l.Fingerprint, l.Tenant, l.Queue)]; g != nil && f.Match(l) {
				g.ByState[l.State]++
				widen(g, l.DeadAt, l.DeadAt)
			}
		}
		if w.ended {
			return nil
		}
	}
}

// LetterTally counts the letters that a replay claimed last.
func (s *Store) LetterTally(ctx context.Context, replay push.ID) (push.LetterTally, error) {
	t := push.LetterTally{ByOutcome: map[push.Code]int64{}}
	key := tallyBook(replay).item()
	found, err := s.get(ctx, s.letters, key)
	if err == nil && found != nil {
		var repaired bool
		if repaired, err = s.tidy(ctx, []item{found}); err == nil && repaired {
			found, err = s.get(ctx, s.letters, key)
		}
	}
	if err != nil {
		return push.LetterTally{}, fmt.Errorf("tally of %s: %w", replay, err)
	}
	for counter, n := range found.counters() {
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
