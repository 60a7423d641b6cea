package privacy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// Row is one thing that is kept of a user. Exactly one of its members is set.
type Row struct {
	Device   *push.Device
	Delivery *Delivery
	Letter   *push.Letter
	Receipt  *Receipt
}

// Delivery is one delivery to a user.
type Delivery struct {
	Notification *push.Notification
	Chunk        int
	Cell         int // -1: not planned yet
	Code         push.Code
	Duplicate    bool      // it may have arrived more than once
	At           time.Time // of the last attempt; else when the chunk was written last
	Attempts     []ledger.Attempt
}

// Export calls emit with everything that is kept of the subject of a ready export, one row after
// the other, and last with its receipt. Nothing is stored of it but the counts. Errors are
// push.ErrNotFound, a *push.StateError, emit's or a store's.
func (r *Room) Export(ctx context.Context, tenant string, id push.ID, emit func(Row) error) error {
	q, err := r.Get(ctx, tenant, id)
	if err != nil {
		return err
	}
	if q.Action != Export || q.State != StateReady || !r.cfg.Now().Before(q.ExpiresAt) {
		return &push.StateError{ID: q.ID, Op: "export", State: string(q.Action) + " " + string(q.State)}
	}
	if err := r.find(ctx, &q); err != nil {
		return err
	}
	q.Counts = Counts{}
	p := newPerson(&q, r.cfg.Keys)
	if err := r.exportDevices(ctx, &q, emit); err != nil {
		return err
	}
	if err := r.exportDeliveries(ctx, p, emit); err != nil {
		return err
	}
	if err := r.exportLetters(ctx, p, emit); err != nil {
		return err
	}
	if q.Receipt, err = r.cfg.Keys.sign(&q, r.cfg.Now()); err != nil {
		return err
	}
	if err := r.save(ctx, &q); err != nil && !errors.Is(err, push.ErrConflict) { // it was fetched twice at a time
		return err
	}
	return emit(Row{Receipt: q.Receipt})
}

func (r *Room) exportDevices(ctx context.Context, q *Request, emit func(Row) error) error {
	for _, id := range q.Devices {
		d, err := r.cfg.Devices.Device(ctx, q.Tenant, id)
		if errors.Is(err, push.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read a device: %w", err)
		}
		q.Counts.Devices++
		if err := emit(Row{Device: &d}); err != nil {
			return err
		}
	}
	return nil
}

func (r *Room) exportDeliveries(ctx context.Context, p *person, emit func(Row) error) error {
	var one sync.Mutex
	for cursor := ""; ; {
		counts, next, err := r.walk(ctx, p, cursor, func(ctx context.Context, f *found) error {
			rows, err := r.deliveries(ctx, f)
			if err != nil {
				return err
			}
			one.Lock()
			defer one.Unlock()
			for i := range rows {
				if err := emit(Row{Delivery: &rows[i]}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.q.Counts.add(&counts)
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// deliveries returns a notification's deliveries to the person.
func (r *Room) deliveries(ctx context.Context, f *found) ([]Delivery, error) {
	lines, err := r.lines(ctx, f)
	if err != nil {
		return nil, err
	}
	var out []Delivery
	for i := range f.chunks {
		c := &f.chunks[i]
		attempts, err := r.cfg.Chunks.Attempts(ctx, c.ref)
		if err != nil {
			return nil, fmt.Errorf("read evidence: %w", err)
		}
		line := lines[c.ref]
		for _, cell := range c.cells {
			d := Delivery{Notification: f.n, Chunk: c.ref.Seq, Cell: cell, At: line.UpdatedAt}
			if cell < len(line.Cells) {
				d.Code, d.Duplicate = line.Cells[cell].Code(), line.Cells[cell].PossibleDuplicate()
			}
			for _, a := range attempts {
				if a.Cell == cell {
					d.Attempts, d.At = append(d.Attempts, a), a.At
				}
			}
			out = append(out, d)
		}
	}
	for range f.loose {
		out = append(out, Delivery{Notification: f.n, Cell: -1})
	}
	return out, nil
}

func (r *Room) exportLetters(ctx context.Context, p *person, emit func(Row) error) error {
	for cursor := ""; ; {
		ls, next, err := r.cfg.Letters.Letters(ctx, push.LetterFilter{Tenant: p.q.Tenant, OldestFirst: true}, cursor, pageSize)
		if err != nil {
			return fmt.Errorf("list dead letters: %w", err)
		}
		for i := range ls {
			if !p.letter(&ls[i]) {
				continue
			}
			p.q.Counts.DeadLetters++
			if err := emit(Row{Letter: &ls[i]}); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
