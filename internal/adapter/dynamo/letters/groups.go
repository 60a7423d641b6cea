package letters

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// groupName is what the letters of a group have in common, as counter items hold it.
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

// LetterGroups counts the letters that the filter takes: from the counter items if it
// asks for groups only, otherwise from the letters.
func (s *Store) LetterGroups(ctx context.Context, f push.LetterFilter) ([]push.LetterGroup, error) {
	groups, err := s.countedGroups(ctx, &f)
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

// chosenGroups sums the counter items of the groups that the filter may take letters of,
// by hash.
func (s *Store) countedGroups(ctx context.Context, f *push.LetterFilter) (map[string]*push.LetterGroup, error) {
	counterItems, err := s.counterItems(ctx)
	if err != nil {
		return nil, err
	}
	repaired, err := s.finishAbandoned(ctx, counterItems)
	if err == nil && repaired {
		counterItems, err = s.counterItems(ctx)
	}
	if err != nil {
		return nil, err
	}
	groups := map[string]*push.LetterGroup{}
	for _, b := range counterItems {
		hash, _, _ := strings.Cut(b.Text(table.AttrSK), "#")
		g := groups[hash]
		if g == nil {
			var name groupName
			if err := table.UnpackJSON(b.Bytes(attrGroupName), &name); err != nil {
				return nil, fmt.Errorf("book %s: %w", b.Text(table.AttrSK), err)
			}
			g = &push.LetterGroup{
				Fingerprint: name.Fingerprint, Tenant: name.Tenant, Queue: name.Queue, App: name.App, Code: name.Code, LastCode: name.LastCode,
				Template: name.Template, Pattern: name.Pattern, Sample: push.ID(b.Text(attrSample)), ByState: map[push.LetterState]int64{},
			}
			groups[hash] = g
		}
		widen(g, b.Time(attrFirst), b.Time(attrLastDead))
		for counter, n := range counters(b) {
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

// counterItems reads the counter items of all groups, their partitions at once.
func (s *Store) counterItems(ctx context.Context) ([]table.Item, error) {
	var mu sync.Mutex
	var all []table.Item
	err := table.Concurrently(ctx, letterShards, func(ctx context.Context, shard int) error {
		found, err := s.partition(ctx, groupPartition(shard))
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return err
	})
	return all, err
}

// partition reads all items of one partition.
func (s *Store) partition(ctx context.Context, pk string) ([]table.Item, error) {
	var e table.Expression
	cond := e.Name(table.AttrPK) + " = " + e.Value("pk", table.Text(pk))
	m := s.db.Merge(table.AttrSK, false, table.Queries{&dynamodb.QueryInput{
		TableName: &s.letters, KeyConditionExpression: &cond, ConsistentRead: new(true),
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values,
	}})
	var all []table.Item
	for {
		i, err := m.Next(ctx)
		if err != nil || i == nil {
			return all, err
		}
		all = append(all, i)
	}
}

// countLetters replaces the counter items' sums by counts of the letters that match.
func (s *Store) countLetters(ctx context.Context, f *push.LetterFilter, groups map[string]*push.LetterGroup) error {
	for _, g := range groups {
		clear(g.ByState)
		g.FirstDeadAt, g.LastDeadAt = time.Time{}, time.Time{}
	}
	w := s.walk(f, groups, "")
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
