package pages

// Schema is the table of pages.
const Schema = `
CREATE TABLE page (
	notification TEXT    NOT NULL,
	kind         TEXT    NOT NULL,
	n            INTEGER NOT NULL,
	data         BLOB    NOT NULL,
	UNIQUE (notification, kind, n)
);`
