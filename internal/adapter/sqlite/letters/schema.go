package letters

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// The states of a letter as they are stored. Their numbers are part of the file
// format, and stand as literals in the partial indexes.
const (
	letterParked    = 0
	letterReplaying = 1
	letterReplayed  = 2
	letterDiscarded = 3
)

// letterStates are the states by their numbers.
func letterStates() []push.LetterState {
	return []push.LetterState{
		letterParked: push.LetterParked, letterReplaying: push.LetterReplaying, letterReplayed: push.LetterReplayed,
		letterDiscarded: push.LetterDiscarded,
	}
}

func letterStateNumber(s push.LetterState) (int, error) {
	for n, known := range letterStates() {
		if s == known {
			return n, nil
		}
	}
	return 0, fmt.Errorf("letter state %q: not one of %v", s, letterStates())
}

// Schema is the dead-letter store. What all letters of one fingerprint,
// tenant and queue have in common stands once, in letter_group, with how many of
// them stand where: groups are read in O(groups), and exact because they change
// in the transaction that changes a letter. letter_tally does the same for the
// letters that one replay claimed last. A letter is a narrow row, which its
// moves rewrite, and a body, which they don't.
//
// Listings go by arrival, seq, in whatever index fits the filter best.
const Schema = `
CREATE TABLE letter_group (
	id          INTEGER PRIMARY KEY,
	fingerprint TEXT    NOT NULL,
	tenant      TEXT    NOT NULL,
	queue       TEXT    NOT NULL,
	app         TEXT    NOT NULL,
	code        INTEGER NOT NULL, -- push.Code
	last_code   INTEGER NOT NULL,
	template    TEXT    NOT NULL,
	pattern     TEXT    NOT NULL,
	sample      TEXT    NOT NULL, -- id of its first letter
	first_dead  INTEGER NOT NULL,
	last_dead   INTEGER NOT NULL,
	parked      INTEGER NOT NULL, -- how many letters are
	replaying   INTEGER NOT NULL,
	replayed    INTEGER NOT NULL,
	discarded   INTEGER NOT NULL,
	UNIQUE (fingerprint, tenant, queue)
);
CREATE TABLE letter (
	seq          INTEGER PRIMARY KEY AUTOINCREMENT, -- order of arrival; never used again, cursors hold it
	id           TEXT    NOT NULL UNIQUE,
	grp          INTEGER NOT NULL REFERENCES letter_group (id),
	notification TEXT    NOT NULL, -- '' for none
	chunk        INTEGER NOT NULL,
	cell         INTEGER NOT NULL, -- -1: the letter is a message
	state        INTEGER NOT NULL,
	version      INTEGER NOT NULL,
	replay       TEXT    NOT NULL, -- '' for none
	outcome      INTEGER NOT NULL, -- push.Code
	dead_at      INTEGER NOT NULL,
	stored_at    INTEGER NOT NULL,
	moved_at     INTEGER NOT NULL,
	note         TEXT    NOT NULL  -- who moved it and why, see letterNote
);
CREATE INDEX letter_by_group ON letter (grp, state, seq);
CREATE INDEX letter_by_state ON letter (state, seq, grp, dead_at);
CREATE INDEX letter_by_notification ON letter (notification, seq) WHERE notification <> '';
CREATE INDEX letter_by_replay ON letter (replay, state, seq) WHERE replay <> '';
CREATE INDEX letter_awaiting ON letter (replay, seq) WHERE state = 2 AND outcome = 0 AND cell >= 0;
CREATE INDEX letter_done ON letter (moved_at) WHERE state >= 2;
CREATE TABLE letter_body (
	seq  INTEGER PRIMARY KEY REFERENCES letter (seq),
	body BLOB NOT NULL -- the rest, see appendLetter
);
CREATE TABLE letter_tally (
	replay    TEXT    NOT NULL,
	state     INTEGER NOT NULL,
	outcome   INTEGER NOT NULL,
	recipient INTEGER NOT NULL, -- 0: messages
	n         INTEGER NOT NULL,
	PRIMARY KEY (replay, state, outcome, recipient)
) WITHOUT ROWID;`
