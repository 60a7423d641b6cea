package devices

// Schema is the table of devices.
//
// Addresses are indexed by 8 bytes of hash: tokens have some 160 characters, and
// an index of them would be larger than the table. That an address is unique is
// kept by the one writer, which removes the former holder. Rows are in the order
// of their arrival, because ids come in any order: a tree of rows in the order of
// ids would split a page every few inserts.
const Schema = `
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

// SchemaSeen is the table of devices that only sends know. Rows are in the order of their
// arrival. Of a row only its key is indexed, in 17 bytes.
const SchemaSeen = `
CREATE TABLE seen_tenant (
	no   INTEGER PRIMARY KEY,
	name TEXT    NOT NULL UNIQUE
);
CREATE TABLE seen (
	seq            INTEGER PRIMARY KEY,
	tenant         INTEGER NOT NULL, -- seen_tenant.no
	key            INTEGER NOT NULL, -- push.SeenKey
	quarantined_at INTEGER NOT NULL, -- 0 while active
	body           BLOB    NOT NULL  -- the rest, see appendSeen; empty: the id of this key is in use elsewhere
);
CREATE UNIQUE INDEX seen_by_key ON seen (tenant, key);
CREATE INDEX seen_quarantined ON seen (quarantined_at) WHERE quarantined_at <> 0;`
