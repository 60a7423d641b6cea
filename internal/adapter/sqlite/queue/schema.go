package queue

import (
	"github.com/belfry-push/belfry/internal/adapter/sqlite/db"
)

// The states of a message. Their numbers are part of the file format, and
// stand as literals in the partial indexes and in every query that uses one.
const (
	stateReady    = 0 // may be received
	stateInFlight = 1 // received; ready again at due
	stateDelayed  = 2 // never received; ready at due
)

// Migrations is the schema of queue.db.
//
// A message is a narrow row that changes with every receive and, apart from it,
// a body that never does: a receive then rewrites one page, not sixteen.
// Times are milliseconds: due and received_at by the queue's own time, sent_at by
// the wall clock, since 1970.
//
//	ready  in message_ready (queue, grp, id): the first of each group is one seek,
//	       and so is the next group that has any
//	else   in message_due (queue, due): what has come due, and when the next will
//
// A receive first moves what has come due from the second index to the first
// one, so that looking for work touches only groups that have some.
func Migrations() []db.Migration {
	return []db.Migration{
		{Version: 1, SQL: `
			CREATE TABLE queue (
				id   INTEGER PRIMARY KEY,
				name TEXT NOT NULL UNIQUE
			);
			CREATE TABLE message (
				id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: a late receipt must not fit a new message
				queue       INTEGER NOT NULL,
				grp         TEXT    NOT NULL,
				state       INTEGER NOT NULL,
				due         INTEGER NOT NULL,
				receives    INTEGER NOT NULL,
				sent_at     INTEGER NOT NULL,
				received_at INTEGER NOT NULL -- of the last receive, 0 before
			);
			CREATE INDEX message_ready ON message (queue, grp, id) WHERE state = 0;
			CREATE INDEX message_due ON message (queue, due, state) WHERE state > 0;
			CREATE TABLE body (
				id   INTEGER PRIMARY KEY, -- of the message
				data BLOB NOT NULL
			);`},
		// See timeline. Files of before have their times by the wall clock.
		{Version: 2, SQL: `
			CREATE TABLE queue_time (
				id       INTEGER PRIMARY KEY CHECK (id = 1),
				distance INTEGER NOT NULL, -- of the queue's time from the wall clock
				reached  INTEGER NOT NULL  -- the queue's time went at least that far
			);
			INSERT INTO queue_time (id, distance, reached)
				SELECT 1, 0, coalesce(max(max(sent_at), max(received_at)), 0) FROM message;`},
	}
}
