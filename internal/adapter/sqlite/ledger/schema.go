package ledger

// SchemaNotifications is the first step of the ledger: notifications. The steps are
// applied in the order in which they stand here, others' between them or not.
//
// A notification's head changes several times in its life and is small; its
// body never changes and may have a hundred kilobytes. They are apart, so that
// a change rewrites one page that it shares with the changes of others.
const SchemaNotifications = `
CREATE TABLE notification (
	seq         INTEGER PRIMARY KEY,
	id          TEXT    NOT NULL UNIQUE,
	tenant      TEXT    NOT NULL,
	accepted_at INTEGER NOT NULL,
	version     INTEGER NOT NULL,
	outbox      INTEGER NOT NULL, -- 1 while it waits for its queue message
	progress    TEXT    NOT NULL  -- JSON
);
CREATE INDEX notification_by_tenant ON notification (tenant, accepted_at, id);
CREATE INDEX notification_outbox ON notification (accepted_at, id) WHERE outbox = 1;
CREATE TABLE notification_body (
	seq  INTEGER PRIMARY KEY REFERENCES notification (seq),
	body TEXT NOT NULL -- JSON without progress
);`

// SchemaLines is the second step: the chunks' lines, plans and evidence.
//
// A line is overwritten whole at every checkpoint and stays below 1 KB, so it
// lives in the key's own tree; summing a notification reads a run of pages. Plans
// and attempts are written once, in the order of time.
const SchemaLines = `
CREATE TABLE chunk_line (
	notification TEXT    NOT NULL,
	seq          INTEGER NOT NULL,
	tenant       TEXT    NOT NULL,
	sources      INTEGER NOT NULL,
	last         INTEGER NOT NULL, -- 1: no chunk of the same page comes after it
	epoch        INTEGER NOT NULL,
	owner        TEXT    NOT NULL,
	state        INTEGER NOT NULL, -- ledger.State
	attempt      INTEGER NOT NULL,
	turn         INTEGER NOT NULL,
	reserved     INTEGER NOT NULL,
	updated_at   INTEGER NOT NULL,
	tally        BLOB    NOT NULL, -- of cells, see appendTally
	cells        BLOB    NOT NULL, -- one byte per recipient, ledger.Cell
	PRIMARY KEY (notification, seq)
) WITHOUT ROWID;
CREATE TABLE chunk_plan (
	notification TEXT    NOT NULL,
	seq          INTEGER NOT NULL,
	tenant       TEXT    NOT NULL,
	first_line   INTEGER NOT NULL,
	sources      INTEGER NOT NULL,
	last         INTEGER NOT NULL,
	cells        BLOB    NOT NULL, -- as planned
	hashes       BLOB    NOT NULL, -- 8 bytes per recipient, big endian
	UNIQUE (notification, seq)
);
CREATE TABLE chunk_attempt (
	saved        INTEGER PRIMARY KEY, -- grows with every checkpoint
	notification TEXT    NOT NULL,
	seq          INTEGER NOT NULL,
	evidence     BLOB    NOT NULL -- see encodeAttempts
);
CREATE INDEX chunk_attempt_by_chunk ON chunk_attempt (notification, seq, saved);`

// SchemaSuspects is the third step: what a bisection of a line needs. Nothing that
// was planned before has it.
const SchemaSuspects = `
ALTER TABLE chunk_line ADD COLUMN reserved_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chunk_line ADD COLUMN vanished INTEGER NOT NULL DEFAULT 0; -- owners that died, one after the other`

// SchemaUnfinished is the fourth step: what a janitor looks after, the
// notifications that are not finished, and when a line that waits is due. A
// notification that was cancelled before this step is finished if all its lines
// are.
const SchemaUnfinished = `
ALTER TABLE chunk_line ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notification ADD COLUMN unfinished INTEGER NOT NULL DEFAULT 0; -- 1: on its way, and not in the outbox
UPDATE notification SET unfinished = 1
	WHERE outbox = 0 AND json_extract(progress, '$.state') NOT IN ('uploading', 'completed')
	AND NOT (json_extract(progress, '$.state') = 'cancelled'
		AND NOT EXISTS (SELECT 1 FROM chunk_line l WHERE l.notification = notification.id AND l.state <> 4));
CREATE INDEX notification_unfinished ON notification (accepted_at, id) WHERE unfinished = 1;`

// SchemaFirst is the fifth step: when a line got its first outcome. Of lines that were saved
// before this step it is taken for their last write.
const SchemaFirst = `
ALTER TABLE chunk_line ADD COLUMN first_at INTEGER NOT NULL DEFAULT 0;
UPDATE chunk_line SET first_at = updated_at WHERE epoch > 0 OR state = 4;`

// SchemaRetired is the sixth step: what retention goes by. Of notifications that changed last
// before this step the times in their progress tell when, but for uploads, which age from now.
const SchemaRetired = `
ALTER TABLE notification ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notification ADD COLUMN retired INTEGER NOT NULL DEFAULT 0; -- when it was; then it is absent
UPDATE notification SET changed_at = unixepoch() * 1000000
	WHERE outbox = 0 AND unfinished = 0 AND json_extract(progress, '$.state') = 'uploading';
CREATE INDEX notification_retired ON notification (retired) WHERE retired > 0;`

// SchemaKeep is the seventh step: for how many days a notification is kept, 0 for as long as the
// process keeps them. What was accepted before this step has no bound of its own. The index has
// the seq behind each value, so that what is kept as long is walked in the order of acceptance.
const SchemaKeep = `
ALTER TABLE notification ADD COLUMN keep_days INTEGER NOT NULL DEFAULT 0;
CREATE INDEX notification_by_keep ON notification (keep_days);`
