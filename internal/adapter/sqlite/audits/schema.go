package audits

// Schema are the tables of blocks and of heads.
const Schema = `
CREATE TABLE audit_block (
	tenant    TEXT    NOT NULL,
	first     INTEGER NOT NULL,
	last      INTEGER NOT NULL,
	hash      BLOB    NOT NULL,
	signed_at INTEGER NOT NULL,
	key       TEXT    NOT NULL,
	signature BLOB    NOT NULL,
	body      BLOB    NOT NULL,
	UNIQUE (tenant, first)
);
CREATE TABLE audit_head (
	tenant    TEXT    NOT NULL,
	seq       INTEGER NOT NULL,
	hash      BLOB    NOT NULL,
	signed_at INTEGER NOT NULL,
	key       TEXT    NOT NULL,
	signature BLOB    NOT NULL,
	PRIMARY KEY (tenant, seq)
) WITHOUT ROWID;`

// SchemaCheckpoint is the table of what was removed.
const SchemaCheckpoint = `
CREATE TABLE audit_checkpoint (
	tenant    TEXT    NOT NULL PRIMARY KEY,
	seq       INTEGER NOT NULL,
	hash      BLOB    NOT NULL,
	signed_at INTEGER NOT NULL,
	key       TEXT    NOT NULL,
	signature BLOB    NOT NULL
) WITHOUT ROWID;`
