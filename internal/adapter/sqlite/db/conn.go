package db

import (
	"context"
	"database/sql/driver"
	"errors"

	driversqlite "modernc.org/sqlite"
)

// maxCachedStatements bounds the prepared statements kept per connection. The
// program's own statements are constants, well below it; texts made at run time
// (a list of placeholders) beyond it are simply prepared each time.
const maxCachedStatements = 256

// connector opens connections that keep their prepared statements.
//
// database/sql prepares and finalizes a statement for every Exec and Query
// unless callers carry *sql.Stmt around, and one in a transaction needs another
// lookup. Keeping them below database/sql, by text, makes every plain
// tx.ExecContext a cached one.
type connector struct {
	driver.Connector

	// uninterruptible connections run each statement to its end: SQLite's
	// interrupt of a write rolls back the whole transaction
	// (https://www.sqlite.org/c3ref/interrupt.html), which here is shared with
	// other callers.
	uninterruptible bool
}

func newConnector(dsn string, uninterruptible bool) (*connector, error) {
	c, err := driversqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return &connector{Connector: c, uninterruptible: uninterruptible}, nil
}

// rawConn is what modernc's connection offers and database/sql uses.
type rawConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, marked(err)
	}
	raw, ok := inner.(rawConn)
	if !ok {
		return nil, errors.Join(errors.New("sqlite driver lacks an interface this package relies on"), inner.Close())
	}
	return &cachingConn{rawConn: raw, uninterruptible: c.uninterruptible, cached: map[string]*cachedStmt{}}, nil
}

// cachingConn is a connection with its prepared statements. As any driver.Conn
// it is used by one goroutine at a time. It is also the edge at which errors of
// SQLite get their outage (see outageOf): nothing above asks for codes.
type cachingConn struct {
	rawConn

	uninterruptible bool
	cached          map[string]*cachedStmt
}

// cachedStmt is lent to one set of rows at a time.
type cachedStmt struct {
	stmt rawStmt
	lent bool
}

type rawStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// Close implements driver.Conn.
func (c *cachingConn) Close() error {
	var errs []error
	for _, s := range c.cached {
		errs = append(errs, s.stmt.Close())
	}
	clear(c.cached)
	return errors.Join(append(errs, c.rawConn.Close())...)
}

// ExecContext implements driver.ExecerContext. Without arguments the text may
// be a script of several statements.
func (c *cachingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	ctx, err := c.limit(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	var result driver.Result
	if s == nil {
		result, err = c.rawConn.ExecContext(ctx, query, args)
	} else {
		result, err = s.stmt.ExecContext(ctx, args)
	}
	return result, marked(err)
}

// QueryContext implements driver.QueryerContext.
func (c *cachingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	ctx, err := c.limit(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	var rows driver.Rows
	if s == nil {
		rows, err = c.rawConn.QueryContext(ctx, query, args)
	} else {
		rows, err = s.stmt.QueryContext(ctx, args)
	}
	if err != nil {
		return nil, marked(err)
	}
	if s != nil {
		s.lent = true
	}
	return &cachedRows{Rows: rows, from: s}, nil
}

// BeginTx implements driver.ConnBeginTx.
func (c *cachingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.rawConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, marked(err)
	}
	return markingTx{tx}, nil
}

// markingTx gives the errors of a transaction's end their outage.
type markingTx struct{ driver.Tx }

// Commit implements driver.Tx.
func (t markingTx) Commit() error { return marked(t.Tx.Commit()) }

// Rollback implements driver.Tx.
func (t markingTx) Rollback() error { return marked(t.Tx.Rollback()) }

// limit is the context that a statement runs under.
func (c *cachingConn) limit(ctx context.Context) (context.Context, error) {
	if !c.uninterruptible {
		return ctx, nil
	}
	return context.WithoutCancel(ctx), ctx.Err()
}

// statement returns the prepared statement for the text; nil when it must not
// be used because rows of it are open, or when there is no room for one.
func (c *cachingConn) statement(ctx context.Context, query string) (*cachedStmt, error) {
	if s, ok := c.cached[query]; ok {
		if s.lent {
			return nil, nil
		}
		return s, nil
	}
	if len(c.cached) >= maxCachedStatements {
		return nil, nil
	}
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, marked(err)
	}
	stmt, ok := prepared.(rawStmt)
	if !ok {
		return nil, prepared.Close()
	}
	s := &cachedStmt{stmt: stmt}
	c.cached[query] = s
	return s, nil
}

// cachedRows give the statement back when they are closed.
type cachedRows struct {
	driver.Rows

	from *cachedStmt // nil for rows of a statement that is not kept
}

// Next implements driver.Rows.
func (r *cachedRows) Next(dest []driver.Value) error { return marked(r.Rows.Next(dest)) }

// Close implements driver.Rows.
func (r *cachedRows) Close() error {
	if r.from != nil {
		r.from.lent = false
	}
	return marked(r.Rows.Close())
}

// Interfaces that database/sql looks for; a missing one would silently cost the
// cache, the transaction's mode or the check of a connection.
var (
	_ driver.Connector       = (*connector)(nil)
	_ driver.ConnBeginTx     = (*cachingConn)(nil)
	_ driver.ExecerContext   = (*cachingConn)(nil)
	_ driver.QueryerContext  = (*cachingConn)(nil)
	_ driver.SessionResetter = (*cachingConn)(nil)
	_ driver.Validator       = (*cachingConn)(nil)
)
