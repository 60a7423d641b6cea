package sqlite

// storeMigrations is the schema of store.db. Times are integers, microseconds
// since 1970 UTC, 0 for none.
func storeMigrations() []migration {
	return []migration{
		{1, schemaNotifications},
		{2, schemaLines},
		{3, schemaDevices},
		{4, schemaIdempotency},
		{5, schemaDocuments},
		{6, schemaLetters},
		{7, schemaSuspects},
		{8, schemaUnfinished},
	}
}

// pagesMigrations is the schema of pages.db.
func pagesMigrations() []migration {
	return []migration{{1, schemaPages}}
}

// A notification's head changes several times in its life and is small; its
// body never changes and may have a hundred kilobytes. They are apart, so that
// a change rewrites one page that it shares with the changes of others.
const schemaNotifications = `
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

// A line is overwritten whole at every checkpoint and stays below 1 KB, so it
// lives in the key's own tree; summing a notification reads a run of pages. Plans
// and attempts are written once, in the order of time.
const schemaLines = `
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

// What a bisection of a line needs; nothing planned has either.
const schemaSuspects = `
ALTER TABLE chunk_line ADD COLUMN reserved_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chunk_line ADD COLUMN vanished INTEGER NOT NULL DEFAULT 0; -- owners that died, one after the other`

// What a janitor looks after: the notifications that are not finished, and when
// a line that waits is due. A notification that was cancelled before this step is
// finished if all its lines are.
const schemaUnfinished = `
ALTER TABLE chunk_line ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notification ADD COLUMN unfinished INTEGER NOT NULL DEFAULT 0; -- 1: on its way, and not in the outbox
UPDATE notification SET unfinished = 1
	WHERE outbox = 0 AND json_extract(progress, '$.state') NOT IN ('uploading', 'completed')
	AND NOT (json_extract(progress, '$.state') = 'cancelled'
		AND NOT EXISTS (SELECT 1 FROM chunk_line l WHERE l.notification = notification.id AND l.state <> 4));
CREATE INDEX notification_unfinished ON notification (accepted_at, id) WHERE unfinished = 1;`

// Addresses are indexed by 8 bytes of hash: tokens have some 160 characters, and
// an index of them would be larger than the table. That an address is unique is
// kept by the one writer, which removes the former holder. Rows are in the order
// of their arrival, because ids come in any order: a tree of rows in the order of
// ids would split a page every few inserts.
const schemaDevices = `
CREATE TABLE device (
	seq            INTEGER PRIMARY KEY,
	tenant         TEXT    NOT NULL,
	id             TEXT    NOT NULL,
	address_key    INTEGER NOT NULL, -- see addressKey
	user_id        TEXT    NOT NULL,
	quarantined_at INTEGER NOT NULL, -- 0 while active
	body           BLOB    NOT NULL, -- the rest, see encodeDevice
	UNIQUE (tenant, id)
);
CREATE INDEX device_by_address ON device (address_key);
CREATE INDEX device_by_user ON device (tenant, user_id) WHERE user_id <> '';
CREATE INDEX device_quarantined ON device (quarantined_at) WHERE quarantined_at <> 0;`

const schemaIdempotency = `
CREATE TABLE idempotency (
	tenant      TEXT    NOT NULL,
	key         TEXT    NOT NULL,
	fingerprint TEXT    NOT NULL,
	holder      TEXT    NOT NULL,
	lease_until INTEGER NOT NULL,
	expires_at  INTEGER NOT NULL,
	done        INTEGER NOT NULL,
	status      INTEGER NOT NULL,
	body        BLOB    NOT NULL,
	UNIQUE (tenant, key)
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);`

const schemaDocuments = `
CREATE TABLE document (
	kind       TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	version    INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	body       BLOB    NOT NULL,
	UNIQUE (kind, name)
);`

const schemaPages = `
CREATE TABLE page (
	notification TEXT    NOT NULL,
	kind         TEXT    NOT NULL,
	n            INTEGER NOT NULL,
	data         BLOB    NOT NULL,
	UNIQUE (notification, kind, n)
);`
