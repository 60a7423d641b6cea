package db

import (
	"context"
	"database/sql"
)

// Tail writes what belongs to many writes once for all that share a transaction. Two are the same when they are equal.
type Tail interface {
	// End is called in the transaction after the last f, with what each f left for it, in their order. Its error undoes
	// every f that left something; durable, unless nil, is called once all is committed. It is held to what an f is held to,
	// and may be called again for some of the items, when the first transaction failed.
	End(ctx context.Context, tx *sql.Tx, items []any) (durable func(), err error)
}

// WriteWith is [DB.Write], and has t write in the same transaction what it makes of the item that f returns, together with
// those of others: all are committed, or f's own part is not. A nil item leaves t out.
func (d *DB) WriteWith(ctx context.Context, t Tail, f func(tx *sql.Tx) (item any, err error)) error {
	r := &request{tail: t}
	r.f = func(tx *sql.Tx) (err error) {
		r.item, err = f(tx)
		return err
	}
	return d.writer.do(ctx, laneSoon, r)
}

// tails runs the tails of what ran well, and returns what to call after the commit.
func tails(ctx context.Context, tx *sql.Tx, ran []*request) (durable func(), err error) {
	items := map[Tail][]any{}
	var order []Tail
	for _, r := range ran {
		if r.tail == nil || r.item == nil || r.err != nil {
			continue
		}
		if _, known := items[r.tail]; !known {
			order = append(order, r.tail)
		}
		items[r.tail] = append(items[r.tail], r.item)
	}
	var all []func()
	for _, t := range order {
		err := call(tx, func(tx *sql.Tx) error {
			durable, err := t.End(context.WithoutCancel(ctx), tx, items[t])
			if durable != nil {
				all = append(all, durable)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return func() {
		for _, f := range all {
			f()
		}
	}, nil
}
