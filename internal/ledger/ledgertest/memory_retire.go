package ledgertest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

var errRetired = push.WithOutage(push.OutageBusy, errors.New("the notification of that id is being removed"))

// Keeps implements [Store].
func (m *Memory) Keeps(ctx context.Context) (keeps []int, err error) {
	err = m.locked(ctx, func() error {
		for _, n := range m.heads {
			if !slices.Contains(keeps, n.Progress.KeepDays) {
				keeps = append(keeps, n.Progress.KeepDays)
			}
		}
		return nil
	})
	slices.Sort(keeps)
	return keeps, err
}

// Aged implements [Store].
func (m *Memory) Aged(ctx context.Context, days int, after string, limit int) (aged []ledger.Aged, err error) {
	page, _, err := m.list(ctx, func(n *push.Notification) bool { return n.Progress.KeepDays == days }, oldestFirst, after, limit)
	for i := range page {
		a := ledger.AgedOf(&page[i])
		a.Place = m.Behind(a.AcceptedAt, a.ID)
		aged = append(aged, a)
	}
	return aged, err
}

// Retire implements [Store].
func (m *Memory) Retire(ctx context.Context, ns []ledger.Aged, at time.Time) ([]bool, error) {
	done := make([]bool, len(ns))
	err := m.locked(ctx, func() error {
		for i := range ns {
			n, there := m.heads[ns[i].ID]
			if a := ledger.AgedOf(&n); there && a.Rests() && n.Progress.Version == ns[i].Progress.Version {
				delete(m.heads, n.ID)
				m.retired[n.ID], done[i] = at, true
			}
		}
		return nil
	})
	return done, err
}

// Retired implements [Store].
func (m *Memory) Retired(ctx context.Context, before time.Time, limit int) (ids []push.ID, err error) {
	err = m.locked(ctx, func() error {
		for id, at := range m.retired {
			if at.Before(before) && len(ids) < limit {
				ids = append(ids, id)
			}
		}
		return nil
	})
	return ids, err
}

// Erase implements [Store].
func (m *Memory) Erase(ctx context.Context, ids []push.ID, most int) (gone int, err error) {
	err = m.locked(ctx, func() error {
		for _, id := range ids {
			if _, retired := m.retired[id]; retired {
				for _, ref := range chunksOf(m.plans, id, 0, most) {
					delete(m.plans, ref)
					delete(m.lines, ref)
					delete(m.attempts, ref)
					most--
				}
				if most <= 0 {
					return nil
				}
				delete(m.retired, id)
				most--
			}
			gone++
		}
		return nil
	})
	return gone, err
}
