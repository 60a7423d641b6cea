package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

const (
	selectLine = `SELECT notification, seq, tenant, sources, last, epoch, owner, state, attempt, turn, reserved_from, reserved, vanished, updated_at, due, cells FROM chunk_line `
	selectPlan = `SELECT notification, seq, tenant, first_line, sources, last, cells, hashes FROM chunk_plan `
)

// Plan stores each plan and its first line unless the chunk exists, all in one
// transaction, and returns the lines stored now.
func (s *Store) Plan(ctx context.Context, plans []ledger.Plan, now time.Time) ([]ledger.Line, error) {
	if len(plans) == 0 {
		return nil, nil
	}
	var lines []ledger.Line
	err := s.main.write(ctx, func(tx *sql.Tx) error {
		lines = make([]ledger.Line, len(plans))
		for i := range plans {
			var err error
			if lines[i], err = planChunk(ctx, tx, &plans[i], now); err != nil {
				return fmt.Errorf("plan %s: %w", plans[i].Ref, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lines, nil
}

func planChunk(ctx context.Context, tx *sql.Tx, p *ledger.Plan, now time.Time) (ledger.Line, error) {
	l := ledger.NewLine(*p, now)
	r, err := tx.ExecContext(ctx, `INSERT INTO chunk_line
		(notification, seq, tenant, sources, last, epoch, owner, state, attempt, turn, reserved, updated_at, tally, cells)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (notification, seq) DO NOTHING`,
		l.Ref.Notification, l.Ref.Seq, l.Tenant, l.Sources, l.Last, l.Epoch, l.Owner, uint8(l.State), l.Attempt, l.Turn, l.Reserved,
		micros(l.UpdatedAt), appendTally([]byte{}, l.Cells), cellBytes(l.Cells))
	created, err := changed(r, err)
	if err != nil {
		return ledger.Line{}, err
	}
	if !created {
		return line(ctx, tx, p.Ref)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO chunk_plan (notification, seq, tenant, first_line, sources, last, cells, hashes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		p.Ref.Notification, p.Ref.Seq, p.Tenant, p.FirstLine, p.Sources, p.Last, cellBytes(p.Cells), hashBytes(p.Hashes))
	return l, err
}

// Plans returns up to limit plans of a notification with sequence >= from.
func (s *Store) Plans(ctx context.Context, id push.ID, from, limit int) ([]ledger.Plan, error) {
	plans, err := collect(ctx, s.main.read(), scanPlan,
		selectPlan+`WHERE notification = ? AND seq >= ? ORDER BY seq LIMIT ?`, id, from, limit)
	if err != nil {
		return nil, fmt.Errorf("plans of %s: %w", id, err)
	}
	return plans, nil
}

// Line returns a chunk's line or push.ErrNotFound.
func (s *Store) Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error) {
	l, err := line(ctx, s.main.read(), ref)
	if err != nil {
		return ledger.Line{}, fmt.Errorf("line %s: %w", ref, err)
	}
	return l, nil
}

func line(ctx context.Context, q querier, ref push.ChunkRef) (ledger.Line, error) {
	l, err := scanLine(q.QueryRowContext(ctx, selectLine+`WHERE notification = ? AND seq = ?`, ref.Notification, ref.Seq))
	return l, found(err)
}

// Lines returns up to limit lines of a notification with sequence >= from.
func (s *Store) Lines(ctx context.Context, id push.ID, from, limit int) ([]ledger.Line, error) {
	lines, err := collect(ctx, s.main.read(), scanLine,
		selectLine+`WHERE notification = ? AND seq >= ? ORDER BY seq LIMIT ?`, id, from, limit)
	if err != nil {
		return nil, fmt.Errorf("lines of %s: %w", id, err)
	}
	return lines, nil
}

// SaveLine replaces a line and appends its new attempts, on condition that the
// stored epoch is fromEpoch and the stored line is not closed; otherwise
// ledger.ErrFenced.
func (s *Store) SaveLine(ctx context.Context, l ledger.Line, fromEpoch int64, attempts []ledger.Attempt) error {
	if err := s.replaceLine(ctx, &l, `epoch = ? AND state <> ?`, fromEpoch, attempts); err != nil {
		return fmt.Errorf("save line %s from epoch %d: %w", l.Ref, fromEpoch, err)
	}
	return nil
}

// ReopenLine replaces a closed line by the reopened one and appends the
// evidence of that, on condition that the stored epoch is fromEpoch and the
// stored line is closed; otherwise ledger.ErrFenced.
func (s *Store) ReopenLine(ctx context.Context, l ledger.Line, fromEpoch int64, marks []ledger.Attempt) error {
	if err := s.replaceLine(ctx, &l, `epoch = ? AND state = ?`, fromEpoch, marks); err != nil {
		return fmt.Errorf("reopen line %s from epoch %d: %w", l.Ref, fromEpoch, err)
	}
	return nil
}

// replaceLine writes a line and its evidence on a condition of two places: the
// epoch, and StateClosed.
func (s *Store) replaceLine(ctx context.Context, l *ledger.Line, condition string, fromEpoch int64, attempts []ledger.Attempt) error {
	evidence := encodeAttempts(attempts)
	return s.main.write(ctx, func(tx *sql.Tx) error {
		ok, err := changed(tx.ExecContext(ctx, `UPDATE chunk_line
			SET epoch = ?, owner = ?, state = ?, attempt = ?, turn = ?, reserved_from = ?, reserved = ?, vanished = ?, updated_at = ?, due = ?, tally = ?, cells = ?
			WHERE notification = ? AND seq = ? AND `+condition,
			l.Epoch, l.Owner, uint8(l.State), l.Attempt, l.Turn, l.ReservedFrom, l.Reserved, l.Vanished, micros(l.UpdatedAt), micros(l.Due),
			appendTally([]byte{}, l.Cells), cellBytes(l.Cells),
			l.Ref.Notification, l.Ref.Seq, fromEpoch, uint8(ledger.StateClosed)))
		switch {
		case err != nil:
			return err
		case !ok:
			return ledger.ErrFenced
		case len(attempts) == 0:
			return nil
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO chunk_attempt (notification, seq, evidence) VALUES (?, ?, ?)`,
			l.Ref.Notification, l.Ref.Seq, evidence)
		return err
	})
}

// Attempts returns the evidence of a chunk in the order in which it was saved.
func (s *Store) Attempts(ctx context.Context, ref push.ChunkRef) ([]ledger.Attempt, error) {
	var out []ledger.Attempt
	err := each(ctx, s.main.read(), func(row scanner) error {
		var evidence []byte
		if err := row.Scan(&evidence); err != nil {
			return err
		}
		var err error
		out, err = decodeAttempts(out, evidence)
		return err
	}, `SELECT evidence FROM chunk_attempt WHERE notification = ? AND seq = ? ORDER BY saved`, ref.Notification, ref.Seq)
	if err != nil {
		return nil, fmt.Errorf("attempts of %s: %w", ref, err)
	}
	return out, nil
}

// Counts sums all lines of a notification. SQLite joins their tallies into one
// text, because handing over three thousand rows takes four times as long as
// finding them.
func (s *Store) Counts(ctx context.Context, id push.ID) (ledger.Counts, error) {
	var c ledger.Counts
	var first, last int64
	var tallies []byte // hexadecimal
	err := s.main.read().QueryRowContext(ctx, `SELECT count(*), coalesce(sum(sources), 0), coalesce(sum(last), 0), coalesce(sum(state = ?), 0),
		coalesce(sum(epoch), 0), coalesce(min(updated_at), 0), coalesce(max(updated_at), 0), coalesce(group_concat(hex(tally), ''), '')
		FROM chunk_line WHERE notification = ?`, uint8(ledger.StateClosed), id).
		Scan(&c.Chunks, &c.Sources, &c.PagesPlanned, &c.ChunksClosed, &c.Epochs, &first, &last, &tallies)
	if err != nil {
		return ledger.Counts{}, fmt.Errorf("counts of %s: %w", id, err)
	}
	c.FirstAt, c.LastAt = fromMicros(first), fromMicros(last)
	n, err := hex.Decode(tallies, tallies)
	if err == nil {
		err = addTallies(&c, tallies[:n])
	}
	if err != nil {
		return ledger.Counts{}, fmt.Errorf("counts of %s: %w", id, err)
	}
	return c, nil
}

func scanLine(row scanner) (ledger.Line, error) {
	var l ledger.Line
	var state uint8
	var updated, due int64
	var cells []byte
	err := row.Scan(&l.Ref.Notification, &l.Ref.Seq, &l.Tenant, &l.Sources, &l.Last, &l.Epoch, &l.Owner, &state,
		&l.Attempt, &l.Turn, &l.ReservedFrom, &l.Reserved, &l.Vanished, &updated, &due, &cells)
	l.State, l.UpdatedAt, l.Due, l.Cells = ledger.State(state), fromMicros(updated), fromMicros(due), appendCells(nil, cells)
	return l, err
}

func scanPlan(row scanner) (ledger.Plan, error) {
	var p ledger.Plan
	var cells, hashes []byte
	if err := row.Scan(&p.Ref.Notification, &p.Ref.Seq, &p.Tenant, &p.FirstLine, &p.Sources, &p.Last, &cells, &hashes); err != nil {
		return p, err
	}
	p.Cells = appendCells(nil, cells)
	var err error
	if p.Hashes, err = decodeHashes(hashes); err != nil {
		return p, fmt.Errorf("stored plan %s: %w", p.Ref, err)
	}
	return p, nil
}
