package documents

// Schema is the table of documents.
const Schema = `
CREATE TABLE document (
	kind       TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	version    INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	body       BLOB    NOT NULL,
	UNIQUE (kind, name)
);`
