package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
	"github.com/belfry-push/belfry/internal/adapter/sqlite/rows"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Store is the embedded driver of notifications and the lines of their chunks. It is safe for concurrent use;
// every write is durable when it returns.
type Store struct {
	file   *db.DB
	bodies bodies

	doubt int64 // see SetRestoredUpTo
	now   func() time.Time
}

// New returns the driver on a file that has the tables of this package.
func New(file *db.DB) *Store { return &Store{file: file, bodies: bodies{now: time.Now}, now: time.Now} }

// SetNow sets the clock by which changes age. Call it before any other method.
func (s *Store) SetNow(now func() time.Time) { s.now = now }

const (
	selectLine = `SELECT notification, seq, tenant, sources, last, epoch, owner, state, attempt, turn, reserved_from, reserved, vanished, ` +
		`updated_at, due, first_at, cells FROM chunk_line `
	selectPlan = `SELECT notification, seq, tenant, first_line, sources, last, cells, hashes FROM chunk_plan `
)

// Plan stores each plan and its first line unless the chunk exists, all in one
// transaction, and returns the lines stored now.
func (s *Store) Plan(ctx context.Context, plans []ledger.Plan, now time.Time) ([]ledger.Line, error) {
	if len(plans) == 0 {
		return nil, nil
	}
	var lines []ledger.Line
	err := s.file.Write(ctx, func(tx *sql.Tx) error {
		lines = make([]ledger.Line, len(plans))
		for i := range plans {
			var err error
			if lines[i], err = s.planChunk(ctx, tx, &plans[i], now); err != nil {
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

func (s *Store) planChunk(ctx context.Context, tx *sql.Tx, p *ledger.Plan, now time.Time) (ledger.Line, error) {
	l := ledger.NewLine(*p, now)
	if err := s.doubtPlanned(ctx, tx, &l); err != nil {
		return ledger.Line{}, err
	}
	r, err := tx.ExecContext(ctx, `INSERT INTO chunk_line
		(notification, seq, tenant, sources, last, epoch, owner, state, attempt, turn, reserved, updated_at, first_at, tally, cells)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (notification, seq) DO NOTHING`,
		l.Ref.Notification, l.Ref.Seq, l.Tenant, l.Sources, l.Last, l.Epoch, l.Owner, uint8(l.State), l.Attempt, l.Turn, l.Reserved,
		rows.Micros(l.UpdatedAt), rows.Micros(l.FirstAt), appendTally([]byte{}, l.Cells), cellBytes(l.Cells))
	created, err := rows.Changed(r, err)
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
	plans, err := rows.Collect(ctx, s.file.Read(), scanPlan,
		selectPlan+`WHERE notification = ? AND seq >= ? ORDER BY seq LIMIT ?`, id, from, limit)
	if err != nil {
		return nil, fmt.Errorf("plans of %s: %w", id, err)
	}
	return plans, nil
}

// Line returns a chunk's line or push.ErrNotFound.
func (s *Store) Line(ctx context.Context, ref push.ChunkRef) (ledger.Line, error) {
	l, err := line(ctx, s.file.Read(), ref)
	if err != nil {
		return ledger.Line{}, fmt.Errorf("line %s: %w", ref, err)
	}
	return l, nil
}

func line(ctx context.Context, q rows.Querier, ref push.ChunkRef) (ledger.Line, error) {
	var l ledger.Line
	err := rows.One(ctx, q, func(row rows.Scanner) (err error) {
		l, err = scanLine(row)
		return err
	}, selectLine+`WHERE notification = ? AND seq = ?`, ref.Notification, ref.Seq)
	return l, rows.Found(err)
}

// Lines returns up to limit lines of a notification with sequence >= from.
func (s *Store) Lines(ctx context.Context, id push.ID, from, limit int) ([]ledger.Line, error) {
	lines, err := rows.Collect(ctx, s.file.Read(), scanLine,
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
	return s.file.Write(ctx, func(tx *sql.Tx) error {
		ok, err := rows.Changed(tx.ExecContext(ctx, `UPDATE chunk_line
			SET epoch = ?, owner = ?, state = ?, attempt = ?, turn = ?, reserved_from = ?, reserved = ?, vanished = ?,
				updated_at = ?, due = ?, first_at = ?, tally = ?, cells = ?
			WHERE notification = ? AND seq = ? AND `+condition,
			l.Epoch, l.Owner, uint8(l.State), l.Attempt, l.Turn, l.ReservedFrom, l.Reserved, l.Deaths(),
			rows.Micros(l.UpdatedAt), rows.Micros(l.Due), rows.Micros(l.FirstAt), appendTally([]byte{}, l.Cells), cellBytes(l.Cells),
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
	err := rows.Each(ctx, s.file.Read(), func(row rows.Scanner) error {
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
	var first, last, due int64
	var tallies []byte // hexadecimal
	err := s.file.Read().QueryRowContext(ctx, `SELECT count(*), coalesce(sum(sources), 0), coalesce(sum(last), 0),
		coalesce(sum(state = ?1), 0),
		coalesce(sum(epoch), 0), coalesce(min(CASE WHEN first_at > 0 THEN first_at END), 0), coalesce(max(updated_at), 0),
		coalesce(group_concat(hex(tally), ''), ''),
		coalesce(sum(state = ?2), 0), coalesce(min(CASE WHEN state = ?2 AND due > 0 THEN due END), 0)
		FROM chunk_line WHERE notification = ?3`, uint8(ledger.StateClosed), uint8(ledger.StateWaiting), id).
		Scan(&c.Chunks, &c.Sources, &c.PagesPlanned, &c.ChunksClosed, &c.Epochs, &first, &last, &tallies, &c.ChunksWaiting, &due)
	if err != nil {
		return ledger.Counts{}, fmt.Errorf("counts of %s: %w", id, err)
	}
	c.FirstAt, c.LastAt, c.NextDue = rows.FromMicros(first), rows.FromMicros(last), rows.FromMicros(due)
	n, err := hex.Decode(tallies, tallies)
	if err == nil {
		err = addTallies(&c, tallies[:n])
	}
	if err != nil {
		return ledger.Counts{}, fmt.Errorf("counts of %s: %w", id, err)
	}
	return c, nil
}

func scanLine(row rows.Scanner) (ledger.Line, error) {
	var l ledger.Line
	var state uint8
	var deaths, updated, due, first int64
	var cells []byte
	err := row.Scan(&l.Ref.Notification, &l.Ref.Seq, &l.Tenant, &l.Sources, &l.Last, &l.Epoch, &l.Owner, &state,
		&l.Attempt, &l.Turn, &l.ReservedFrom, &l.Reserved, &deaths, &updated, &due, &first, &cells)
	l.State, l.UpdatedAt, l.Due, l.Cells = ledger.State(state), rows.FromMicros(updated), rows.FromMicros(due), appendCells(nil, cells)
	l.FirstAt = rows.FromMicros(first)
	l.SetDeaths(deaths)
	return l, err
}

func scanPlan(row rows.Scanner) (ledger.Plan, error) {
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
