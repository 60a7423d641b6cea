package idempotency

// Schema is the table of records.
const Schema = `
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
