package db

import (
	"context"
	"database/sql"
	"errors"
)

// Prepared returns the statements that the connections of the file keep: those of
// one reader and of the writer.
func (d *DB) Prepared(ctx context.Context) ([]string, error) {
	reader, err := preparedOn(ctx, d.readers)
	if err != nil {
		return nil, err
	}
	writer, err := preparedOn(ctx, d.writer.conn)
	return append(reader, writer...), err
}

func preparedOn(ctx context.Context, pool *sql.DB) (texts []string, err error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = conn.Raw(func(c any) error {
		for text := range c.(*cachingConn).cached {
			texts = append(texts, text)
		}
		return nil
	})
	return texts, err
}
