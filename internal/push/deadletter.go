package push

import "time"

// DeadLetter is what is put on a dead-letter queue by an explicit verdict: the
// original bytes and their story. Messages that the queue's own redrive moves
// there arrive bare, as they were.
type DeadLetter struct {
	Queue    string // name of the source queue
	ID       string // that the queue gave the original; "" if it was no whole message, or kept by an older program
	Code     Code   // why
	Detail   string // evidence, without tokens
	Body     []byte // of the original message, byte for byte
	Bytes    int    // 0; or, if the whole did not fit and Body is but its beginning, how many it had
	Sum      string // with Bytes: SHA-256 of the whole, hexadecimal
	Group    string // its fairness group, the tenant
	Receives int
	SentAt   time.Time // of the original
	At       time.Time
	Software string // version of the program that gave up on it
}
