// Package privacy exports and erases what is kept of a user: a request is a document that any
// ingest process executes, and ends with a signed receipt.
//
// An erasure has this order, and whoever executes it after a crash goes on with it:
//
//	bury     tombstones of the user and its addresses: from now on nothing is accepted for sending
//	wait     until every process goes by them, and what was being sent has been answered
//	devices  registrations are removed
//	walk     notifications, their pages and plans lose the recipient, newest first
//	letters  dead letters are discarded, and lose the recipient
//	receipt  counts per store, signed; the request forgets whom it was about
//
// A tombstone is a keyed hash (HMAC-SHA256) of a user id or address: it tells nothing to who has
// only the hash, and outlives everything else. Erased recipients keep their places in pages and
// plans under a mark with the request's id (push.ErasedMark), so counts keep adding up, and an
// erasure that runs twice counts the same things once.
//
// The room sends nothing and knows no HTTP. It never logs whom a request is about.
package privacy
