package privacy

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Action is what a request does.
type Action string

// The actions.
const (
	Export Action = "export" // hand out what is kept
	Erase  Action = "erase"  // remove it, and send nothing any more
)

// State is where a request stands.
type State string

// The states.
const (
	StateRunning State = "running" // erase: it goes on until it is done, whoever dies
	StateReady   State = "ready"   // export: may be fetched, until it expires
	StateDone    State = "done"    // erase: nothing is kept, and nothing is sent any more
	StateExpired State = "expired" // export: has to be asked for again
)

// Subject is whom a request is about. What is set counts together: a user, and further devices
// and addresses of theirs that the registry does not know as the user's.
type Subject struct {
	UserID    string       `json:"user_id,omitempty"`
	DeviceIDs []push.ID    `json:"device_ids,omitempty"`
	Tokens    []push.Token `json:"tokens,omitempty"`
	FIDs      []push.Token `json:"fids,omitempty"`
}

// addresses returns the addresses that are named.
func (s *Subject) addresses() []push.Address {
	var all []push.Address
	for _, v := range s.Tokens {
		all = append(all, push.Address{Kind: push.KindToken, Value: v})
	}
	for _, v := range s.FIDs {
		all = append(all, push.Address{Kind: push.KindFID, Value: v})
	}
	return all
}

// isZero reports whether nobody is named.
func (s *Subject) isZero() bool {
	return s.UserID == "" && len(s.DeviceIDs) == 0 && len(s.Tokens) == 0 && len(s.FIDs) == 0
}

// Counts is what was found of a user, per store.
type Counts struct {
	Devices       int64 `json:"devices"`       // registrations
	Notifications int64 `json:"notifications"` // with a delivery to the user
	Deliveries    int64 `json:"deliveries"`    // cells of the ledger, and recipients that are not planned yet
	Open          int64 `json:"open"`          // of the deliveries, those without an outcome: they end as user.erased
	PageRows      int64 `json:"page_rows"`     // rows of upload and plan pages
	DeadLetters   int64 `json:"dead_letters"`
	Tombstones    int64 `json:"tombstones"` // user and addresses that nothing is sent to any more
	Skipped       int64 `json:"skipped"`    // pages and letters that could not be read, and so were not looked into
}

func (c *Counts) add(d *Counts) {
	c.Devices += d.Devices
	c.Notifications += d.Notifications
	c.Deliveries += d.Deliveries
	c.Open += d.Open
	c.PageRows += d.PageRows
	c.DeadLetters += d.DeadLetters
	c.Skipped += d.Skipped
}

// Request is a privacy request as it is stored.
type Request struct {
	ID        push.ID   `json:"id"`
	Tenant    string    `json:"tenant"`
	Action    Action    `json:"action"`
	State     State     `json:"state"`
	By        string    `json:"by,omitempty"`        // who asked: an API key by name
	Reference string    `json:"reference,omitempty"` // the caller's own, such as a ticket
	CreatedAt time.Time `json:"created_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // export: until when it may be fetched
	Since     time.Time `json:"since,omitzero"`      // only notifications accepted from then on are looked at
	// Again says that it repeats another one after a restore: whom it is about is told by Hashes.
	Again bool `json:"again,omitempty"`
	// Subject is whom it is about. It is forgotten when the request has ended; Hashes stay.
	Subject Subject        `json:"subject,omitzero"`
	Hashes  []Hash         `json:"hashes,omitempty"`  // of the user and all addresses
	Devices []push.ID      `json:"devices,omitempty"` // found in the registry; forgotten at the end
	Found   []push.Address `json:"found,omitempty"`   // theirs, and those that are named; forgotten at the end

	Step   step   `json:"step,omitempty"` // erase: what is done next
	Cursor string `json:"cursor,omitempty"`
	Counts Counts `json:"counts"`

	Receipt *Receipt `json:"receipt,omitempty"`

	version int64
}

// step is what an erasure does next.
type step string

const (
	stepBury    step = "bury"
	stepDevices step = "devices"
	stepWalk    step = "walk"
	stepLetters step = "letters"
	stepReceipt step = "receipt"
)

// forget removes whom the request is about; the hashes are what tells that it was them.
func (r *Request) forget() {
	r.Subject, r.Devices, r.Found, r.Cursor, r.Step = Subject{}, nil, nil, "", ""
}

// kinds of documents.
const (
	kindRequest = "privacy-request"
	// kindPending has a document for each request that something is still to be done for. It is
	// written before the request, and removed after it has ended.
	kindPending = "privacy-pending"
)

// pending is the lease of a request.
type pending struct {
	Owner  string    `json:"owner,omitempty"`
	Action Action    `json:"action"`
	At     time.Time `json:"at"` // the request's creation
}
