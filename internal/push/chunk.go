package push

import (
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/message"
)

// Limits of a chunk. 60 KiB of recipients plus the envelope stay under one SQS
// billing unit of 64 KiB (https://aws.amazon.com/sqs/pricing/).
const (
	MaxChunkRecipients = 500
	MaxChunkBytes      = 60 << 10
)

// ChunkRef names a chunk for ever: the notification and its sequence. The
// sequence is page*ChunksPerPage + position in the page, so that pages can be
// planned independently of each other.
type ChunkRef struct {
	Notification ID
	Seq          int
}

// ChunksPerPage is the span of sequences kept for one page.
const ChunksPerPage = 1 << 12

// String returns the form used in logs: id and sequence.
func (r ChunkRef) String() string { return fmt.Sprintf("%s#%d", r.Notification, r.Seq) }

// Page returns the page that the chunk was cut from.
func (r ChunkRef) Page() int { return r.Seq / ChunksPerPage }

// Recipient is one row of a plan: an address, or the user or device id that had
// none, with what this recipient overrides in the message.
type Recipient struct {
	Address  Address
	UserID   string // set when addressed by user
	DeviceID ID     // set when addressed by device id, or known from the registry
	Line     int64  // number of its upload line, from 1; 0 for an inline target
	// DuplicateOf is the upload line on which the same address, user or device
	// came first; 0 if this is it, or for an inline target.
	DuplicateOf int64
	// Overrides, all optional.
	Data       map[string]string // merged over message.data
	Locale     string            // BCP 47; for templates
	CollapseID string            // instead of the notification's
	Override   message.Override  // in place of the message's
	// Platform is the device's, "" if nobody has told. It is known where chunks are
	// planned and sent; pages of recipients do not keep it.
	Platform Platform
	// Renew asks deliver to renew the device's LastSuccessAt, which is older
	// than SuccessGrain.
	Renew bool
	// Unknown asks deliver to have the address remembered with its answer, because the
	// registry did not know it when the chunk was planned.
	Unknown bool
}

// HasOverrides reports whether the recipient's message differs from the shared one.
func (r *Recipient) HasOverrides() bool {
	return len(r.Data) > 0 || r.CollapseID != "" || !r.Override.IsZero()
}

// Chunk is a run of consecutive recipients as it travels on a delivery queue.
// After a retry it holds only those still open: Index says which cell of the
// ledger line each one owns.
type Chunk struct {
	Ref        ChunkRef
	Tenant     string
	Recipients []Recipient
	Index      []int // parallel to Recipients: ascending cell numbers
	Attempts   []int // parallel: the try that each row is at, from 1; nil means Attempt for all
	// Attempt counts tries, from 1; where rows differ it is the highest. Turn counts how often the
	// chunk went back to the queue for whatever reason; a message with a lower
	// turn than the ledger line's is stale.
	Attempt   int
	Turn      int
	NotBefore time.Time // zero, or the time before which nothing may be sent
	// Wait is what is left of a wait that is longer than a queue can delay, when
	// this message arrives. It replaces NotBefore, and needs no clock.
	Wait  time.Duration
	Since time.Time // first time these recipients were tried; zero before
	// PlanQueuedAt is when the task that planned the chunk was queued, in milliseconds; zero
	// if that is not known. Nothing but the story of a delivery needs it.
	PlanQueuedAt time.Time
	LastCode     Code // code of the last failed attempt

	// What a replay of dead letters adds; all zero for a first delivery.
	Replay    ID        // the replay that sent these recipients again
	Series    int       // how many replays they have been through, this one included
	ExpiresAt time.Time // instead of the notification's deadline
	Message   Message   // instead of the notification's message
}

// PageKind says what a page of recipients holds.
type PageKind string

// The kinds of page.
const (
	PageUpload  PageKind = "upload"  // recipients as uploaded
	PagePlan    PageKind = "plan"    // recipients as resolved; kept where resolving is not repeatable
	PageInvalid PageKind = "invalid" // refused lines with their faults
)

// MaxPageBytes bounds an encoded page.
const MaxPageBytes = 4 << 20

// AttemptOf returns the try that row i is at.
func (c *Chunk) AttemptOf(i int) int {
	if c.Attempts == nil {
		return c.Attempt
	}
	return c.Attempts[i]
}
