package letters

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/push"
)

// letterCounts keep the sums over letters right within one transaction: they
// collect what changes and write each sum once, in close.
type letterCounts struct {
	tx     *sql.Tx
	ids    map[groupKey]int64 // of letter_group
	groups map[int64]*groupChange
	tally  map[tallyKey]int64
}

type groupKey struct{ fingerprint, tenant, queue string }

type groupChange struct {
	n           [letterDiscarded + 1]int64 // by state
	first, last int64                      // of letters put, 0 for none
}

type tallyKey struct {
	replay         push.ID
	state, outcome int
	recipient      bool
}

func newLetterCounts(tx *sql.Tx) *letterCounts {
	return &letterCounts{tx: tx, ids: map[groupKey]int64{}, groups: map[int64]*groupChange{}, tally: map[tallyKey]int64{}}
}

// put stores one letter unless it is there, and reports whether it did.
func (b *letterCounts) put(ctx context.Context, l *push.Letter, body []byte) (bool, error) {
	state, err := letterStateNumber(l.State)
	if err != nil {
		return false, err
	}
	grp, err := b.group(ctx, l)
	if err != nil {
		return false, err
	}
	cell := l.Cell
	if l.Kind == push.LetterMessage {
		cell = -1
	}
	res, err := b.tx.ExecContext(ctx, `INSERT INTO letter
		(id, grp, notification, chunk, cell, state, version, replay, outcome, dead_at, stored_at, moved_at, note)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		l.ID, grp, l.Notification, l.Seq, cell, state, l.Version, l.Replay, uint8(l.Outcome),
		rows.Micros(l.DeadAt), rows.Micros(l.StoredAt), rows.Micros(l.MovedAt), letterNote(l.Reason, l.By))
	if created, err := rows.Changed(res, err); err != nil || !created {
		return false, err
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return false, err
	}
	if _, err := b.tx.ExecContext(ctx, `INSERT INTO letter_body (seq, body) VALUES (?, ?)`, seq, body); err != nil {
		return false, err
	}
	c := b.change(grp)
	c.n[state]++
	dead := rows.Micros(l.DeadAt)
	if c.first == 0 || dead < c.first {
		c.first = dead
	}
	c.last = max(c.last, dead)
	b.count(tallyKey{l.Replay, state, int(l.Outcome), cell >= 0}, 1)
	return true, nil
}

// group finds or makes the letter's group.
func (b *letterCounts) group(ctx context.Context, l *push.Letter) (int64, error) {
	key := groupKey{l.Fingerprint, l.Tenant, l.Queue}
	if id, ok := b.ids[key]; ok {
		return id, nil
	}
	_, err := b.tx.ExecContext(ctx, `INSERT INTO letter_group
		(fingerprint, tenant, queue, app, code, last_code, template, pattern, sample, first_dead, last_dead,
			parked, replaying, replayed, discarded)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0) ON CONFLICT (fingerprint, tenant, queue) DO NOTHING`,
		l.Fingerprint, l.Tenant, l.Queue, l.App, uint8(l.Code), uint8(l.LastCode), l.Template, l.Pattern, l.ID,
		rows.Micros(l.DeadAt), rows.Micros(l.DeadAt))
	if err != nil {
		return 0, err
	}
	var id int64
	err = b.tx.QueryRowContext(ctx, `SELECT id FROM letter_group WHERE fingerprint = ? AND tenant = ? AND queue = ?`,
		l.Fingerprint, l.Tenant, l.Queue).Scan(&id)
	if err != nil {
		return 0, err
	}
	b.ids[key] = id
	return id, nil
}

func (b *letterCounts) change(grp int64) *groupChange {
	c := b.groups[grp]
	if c == nil {
		c = &groupChange{}
		b.groups[grp] = c
	}
	return c
}

// count adds to a replay's tally; parked and discarded letters are in none.
func (b *letterCounts) count(k tallyKey, n int64) {
	if k.replay == "" {
		return
	}
	switch k.state {
	case letterReplaying, letterReplayed:
		b.tally[k] += n
	}
}

// close writes the sums.
func (b *letterCounts) close(ctx context.Context) error {
	for id, c := range b.groups {
		_, err := b.tx.ExecContext(ctx, `UPDATE letter_group SET
			parked = parked + ?, replaying = replaying + ?, replayed = replayed + ?, discarded = discarded + ?,
			first_dead = CASE WHEN ?5 = 0 THEN first_dead ELSE min(first_dead, ?5) END, last_dead = max(last_dead, ?6)
			WHERE id = ?7`,
			c.n[letterParked], c.n[letterReplaying], c.n[letterReplayed], c.n[letterDiscarded], c.first, c.last, id)
		if err != nil {
			return fmt.Errorf("count a group: %w", err)
		}
	}
	for k, n := range b.tally {
		if n == 0 {
			continue
		}
		_, err := b.tx.ExecContext(ctx, `INSERT INTO letter_tally (replay, state, outcome, recipient, n) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (replay, state, outcome, recipient) DO UPDATE SET n = n + excluded.n`, k.replay, k.state, k.outcome, k.recipient, n)
		if err != nil {
			return fmt.Errorf("count a replay: %w", err)
		}
	}
	return nil
}
