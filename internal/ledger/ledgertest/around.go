package ledgertest

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Around is a ledger whose calls go through Do, which decides what a caller gets
// to see: it may run effect and return its error, run it and return another (the
// answer was lost), not run it (the store is away), wait before or after it, or
// change what is stored first (somebody else was faster). op is the method's
// name. Both functions may be nil.
type Around struct {
	Store

	Do func(op string, effect func() error) error
	// Before, if set, comes first. It knows the caller's patience: it may wait until
	// ctx ends. What it returns, unless nil, the caller gets in place of the call.
	Before func(ctx context.Context, op string) error
}

func (a Around) call(ctx context.Context, op string, effect func() error) error {
	if a.Before != nil {
		if err := a.Before(ctx, op); err != nil {
			return err
		}
	}
	if a.Do == nil {
		return effect()
	}
	return a.Do(op, effect)
}

// Create implements [Store].
func (a Around) Create(ctx context.Context, n push.Notification) (stored push.Notification, created bool, err error) {
	err = a.call(ctx, "Create", func() (err error) { stored, created, err = a.Store.Create(ctx, n); return err })
	return stored, created, err
}

// Notification implements [Store].
func (a Around) Notification(ctx context.Context, id push.ID) (n push.Notification, err error) {
	err = a.call(ctx, "Notification", func() (err error) { n, err = a.Store.Notification(ctx, id); return err })
	return n, err
}

// Advance implements [Store].
func (a Around) Advance(ctx context.Context, id push.ID, next push.Progress) error {
	return a.call(ctx, "Advance", func() error { return a.Store.Advance(ctx, id, next) })
}

// Notifications implements [Store].
func (a Around) Notifications(ctx context.Context, tenant, cursor string, limit int) (page []push.Notification, next string, err error) {
	err = a.call(ctx, "Notifications", func() (err error) {
		page, next, err = a.Store.Notifications(ctx, tenant, cursor, limit)
		return err
	})
	return page, next, err
}

// Behind implements [Store]. It asks nothing of the store, so there is no call.
func (a Around) Behind(accepted time.Time, id push.ID) string { return a.Store.Behind(accepted, id) }

// Accepted implements [Store].
func (a Around) Accepted(ctx context.Context, tenant string, after time.Time, id push.ID, before time.Time, limit int,
) (page []push.Notification, err error) {
	err = a.call(ctx, "Accepted", func() (err error) { page, err = a.Store.Accepted(ctx, tenant, after, id, before, limit); return err })
	return page, err
}

// Unenqueued implements [Store].
func (a Around) Unenqueued(ctx context.Context, before time.Time, limit int) (page []push.Notification, err error) {
	err = a.call(ctx, "Unenqueued", func() (err error) { page, err = a.Store.Unenqueued(ctx, before, limit); return err })
	return page, err
}

// Unfinished implements [Store].
func (a Around) Unfinished(ctx context.Context, before time.Time, cursor string,
	limit int,
) (page []push.Notification, next string, err error) {
	err = a.call(ctx, "Unfinished", func() (err error) {
		page, next, err = a.Store.Unfinished(ctx, before, cursor, limit)
		return err
	})
	return page, next, err
}

// Plan implements [Store].
func (a Around) Plan(ctx context.Context, plans []ledger.Plan, now time.Time) (lines []ledger.Line, err error) {
	err = a.call(ctx, "Plan", func() (err error) { lines, err = a.Store.Plan(ctx, plans, now); return err })
	return lines, err
}

// Plans implements [Store].
func (a Around) Plans(ctx context.Context, id push.ID, from, limit int) (plans []ledger.Plan, err error) {
	err = a.call(ctx, "Plans", func() (err error) { plans, err = a.Store.Plans(ctx, id, from, limit); return err })
	return plans, err
}

// Line implements [Store].
func (a Around) Line(ctx context.Context, ref push.ChunkRef) (l ledger.Line, err error) {
	err = a.call(ctx, "Line", func() (err error) { l, err = a.Store.Line(ctx, ref); return err })
	return l, err
}

// Lines implements [Store].
func (a Around) Lines(ctx context.Context, id push.ID, from, limit int) (lines []ledger.Line, err error) {
	err = a.call(ctx, "Lines", func() (err error) { lines, err = a.Store.Lines(ctx, id, from, limit); return err })
	return lines, err
}

// SaveLine implements [Store].
func (a Around) SaveLine(ctx context.Context, l ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error {
	return a.call(ctx, "SaveLine", func() error { return a.Store.SaveLine(ctx, l, fromEpoch, attempts) })
}

// ReopenLine implements [Store].
func (a Around) ReopenLine(ctx context.Context, l ledger.Line, fromEpoch int64, marks []ledger.Attempt) error {
	return a.call(ctx, "ReopenLine", func() error { return a.Store.ReopenLine(ctx, l, fromEpoch, marks) })
}

// Attempts implements [Store].
func (a Around) Attempts(ctx context.Context, ref push.ChunkRef) (all []ledger.Attempt, err error) {
	err = a.call(ctx, "Attempts", func() (err error) { all, err = a.Store.Attempts(ctx, ref); return err })
	return all, err
}

// EraseRecipients implements [Store].
func (a Around) EraseRecipients(ctx context.Context, id push.ID, change func(n *push.Notification) bool) error {
	return a.call(ctx, "EraseRecipients", func() error { return a.Store.EraseRecipients(ctx, id, change) })
}

// EraseHashes implements [Store].
func (a Around) EraseHashes(ctx context.Context, ref push.ChunkRef, cells []int, hash uint64) error {
	return a.call(ctx, "EraseHashes", func() error { return a.Store.EraseHashes(ctx, ref, cells, hash) })
}

// Counts implements [Store].
func (a Around) Counts(ctx context.Context, id push.ID) (sum ledger.Counts, err error) {
	err = a.call(ctx, "Counts", func() (err error) { sum, err = a.Store.Counts(ctx, id); return err })
	return sum, err
}

// Keeps implements [Store].
func (a Around) Keeps(ctx context.Context) (keeps []int, err error) {
	err = a.call(ctx, "Keeps", func() (err error) { keeps, err = a.Store.Keeps(ctx); return err })
	return keeps, err
}

// Aged implements [Store].
func (a Around) Aged(ctx context.Context, days int, after string, limit int) (aged []ledger.Aged, err error) {
	err = a.call(ctx, "Aged", func() (err error) { aged, err = a.Store.Aged(ctx, days, after, limit); return err })
	return aged, err
}

// Retire implements [Store].
func (a Around) Retire(ctx context.Context, ns []ledger.Aged, at time.Time) (done []bool, err error) {
	err = a.call(ctx, "Retire", func() (err error) { done, err = a.Store.Retire(ctx, ns, at); return err })
	return done, err
}

// Retired implements [Store].
func (a Around) Retired(ctx context.Context, before time.Time, limit int) (ids []push.ID, err error) {
	err = a.call(ctx, "Retired", func() (err error) { ids, err = a.Store.Retired(ctx, before, limit); return err })
	return ids, err
}

// Erase implements [Store].
func (a Around) Erase(ctx context.Context, ids []push.ID, most int) (gone int, err error) {
	err = a.call(ctx, "Erase", func() (err error) { gone, err = a.Store.Erase(ctx, ids, most); return err })
	return gone, err
}
