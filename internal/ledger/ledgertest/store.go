// Package ledgertest is the conformance suite of the notification ledger: every
// driver of the ports that ingest, fanout, deliver and the API use runs it.
package ledgertest

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the sum of the ledger ports of all rooms; each room declares the
// one to four methods that it needs itself. Implementations are safe for
// concurrent use by several processes, and every successful write is durable.
type Store interface {
	// Create stores the notification unless its id exists; it returns what is
	// stored now and whether this call stored it. Progress.Enqueued false puts it
	// into the outbox.
	Create(ctx context.Context, n push.Notification) (push.Notification, bool, error)
	// Notification returns the stored notification or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
	// Advance replaces the progress on condition that the stored version is
	// next.Version-1; otherwise push.ErrConflict. Enqueued true leaves the outbox.
	Advance(ctx context.Context, id push.ID, next push.Progress) error
	// Notifications lists a tenant's notifications, newest first. cursor is "" or
	// what the last call returned; "" comes back at the end. limit is 1..1000.
	Notifications(ctx context.Context, tenant, cursor string, limit int) ([]push.Notification, string, error)
	// Behind returns the cursor with which Notifications goes on behind a place: with
	// what was accepted before that time or, at that time, has a smaller id. No such
	// notification need exist.
	Behind(accepted time.Time, id push.ID) (cursor string)
	// Accepted lists up to limit notifications of a tenant that stand behind a place and
	// were accepted before the given time, oldest first. Behind a place is what was accepted
	// later than after or, at that time, has a greater id. limit is 1..1000.
	Accepted(ctx context.Context, tenant string, after time.Time, id push.ID, before time.Time, limit int) ([]push.Notification, error)
	// Unenqueued returns up to limit notifications in the outbox that were
	// accepted before the given time, oldest first. Uploading batches are not in it.
	Unenqueued(ctx context.Context, before time.Time, limit int) ([]push.Notification, error)
	// Unfinished lists the notifications of all tenants that are not in the outbox,
	// of which something may be open (push.Progress.Unfinished), and that were
	// accepted before the given time, oldest first. cursor is "" or what the last
	// call returned; "" comes back at the end. limit is 1..1000. It costs what is
	// listed, whatever the number of those that are finished.
	Unfinished(ctx context.Context, before time.Time, cursor string, limit int) ([]push.Notification, string, error)

	// Plan stores each plan and its first line unless the chunk exists, in the
	// given order, so that after a crash a stored plan implies all before it. It
	// returns the lines stored now, parallel to plans.
	Plan(ctx context.Context, plans []ledger.Plan, now time.Time) ([]ledger.Line, error)
	// Plans returns up to limit plans of a notification with sequence >= from, ascending.
	Plans(ctx context.Context, id push.ID, from, limit int) ([]ledger.Plan, error)
	// Line returns a chunk's line or push.ErrNotFound.
	Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error)
	// Lines returns up to limit lines of a notification with sequence >= from, ascending.
	Lines(ctx context.Context, id push.ID, from, limit int) ([]ledger.Line, error)
	// SaveLine replaces a line, and appends the attempts made since the last save,
	// on condition that the stored epoch is fromEpoch and the stored line is not
	// closed; otherwise ledger.ErrFenced. Line and attempts are written together
	// or not at all.
	SaveLine(ctx context.Context, line ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error
	// ReopenLine replaces a closed line by the one that ledger.Line.Reopen made of
	// it, and appends the evidence of that, on condition that the stored epoch is
	// fromEpoch and the stored line is closed; otherwise ledger.ErrFenced. Line and
	// evidence are written together or not at all.
	ReopenLine(ctx context.Context, line ledger.Line, fromEpoch int64, marks []ledger.Attempt) error
	// Attempts returns the evidence of a chunk in the order in which it was saved.
	Attempts(ctx context.Context, ref push.ChunkRef) ([]ledger.Attempt, error)
	// EraseRecipients applies change to a notification as it is stored, and stores what that makes
	// of its target and message, and nothing else. change may run several times; if it returns
	// false, nothing is stored. It is push.ErrNotFound if there is no such notification. A store may
	// remember what was there before for another minute, in other processes.
	EraseRecipients(ctx context.Context, id push.ID, change func(n *push.Notification) bool) error
	// EraseHashes replaces the hashes of some cells of a plan by another; without the plan, or the
	// cells, it changes nothing.
	EraseHashes(ctx context.Context, ref push.ChunkRef, cells []int, hash uint64) error
	// Counts sums all lines of a notification: O(lines). Unknown ids sum to zero.
	Counts(ctx context.Context, id push.ID) (ledger.Counts, error)

	// Keeps lists the numbers of days (push.Progress.KeepDays) of which there may be notifications
	// that Retire removes, 0 for those without one. A driver whose service removes by itself what
	// is kept that long leaves those numbers out.
	Keeps(ctx context.Context) ([]int, error)
	// Aged lists up to limit notifications that are kept for so many days and not retired behind a
	// place, "" for the beginning, in the order in which they were accepted. A driver may leave out
	// those of which something is still to happen. limit is 1..1000.
	Aged(ctx context.Context, days int, after string, limit int) ([]ledger.Aged, error)
	// Retire makes notifications absent for every reader, as of the given time, and tells which it
	// did: not those that were changed since they were listed, or do not rest. Until they are
	// erased their ids are given to no other: Create is push.OutageBusy. A driver may keep the newest of all.
	Retire(ctx context.Context, ns []ledger.Aged, at time.Time) ([]bool, error)
	// Retired lists up to limit notifications that were retired before the given time and are not erased.
	Retired(ctx context.Context, before time.Time, limit int) ([]push.ID, error)
	// Erase removes up to so many rows of what there is of retired notifications, one after the
	// other, and returns how many are gone for good. It leaves alone what is not retired.
	Erase(ctx context.Context, ids []push.ID, most int) (int, error)
}
