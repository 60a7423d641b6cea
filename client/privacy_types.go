package client

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// PrivacyAction is what a privacy request does.
type PrivacyAction string

// The actions.
const (
	PrivacyExport PrivacyAction = "export" // hand out what is kept of a user
	PrivacyErase  PrivacyAction = "erase"  // remove it, and send nothing to them any more
)

// PrivacyState is where a privacy request stands.
type PrivacyState string

// The states.
const (
	PrivacyRunning PrivacyState = "running" // an erasure: it goes on until it is done
	PrivacyReady   PrivacyState = "ready"   // an export that may be fetched
	PrivacyDone    PrivacyState = "done"    // an erasure that has ended, with a receipt
	PrivacyExpired PrivacyState = "expired" // an export that may not be fetched any more
)

// PrivacyOrder asks for a user's data to be exported or erased. It names a user, or devices and
// addresses, or all of these, which then count as one person's.
type PrivacyOrder struct {
	Action    PrivacyAction `json:"action" doc:"what is to be done"`
	UserID    string        `json:"user_id,omitempty" doc:"whose data; with all devices that are registered for it"`
	DeviceIDs []string      `json:"device_ids,omitempty" doc:"devices of the person, at most 100"`
	Tokens    []string      `json:"tokens,omitempty" doc:"registration tokens of the person, also of former devices; with fids at most 100"`
	FIDs      []string      `json:"fids,omitempty" doc:"installation ids of the person"`
	Since     *time.Time    `json:"since,omitempty" doc:"look at notifications from then on only; absent: at all that are kept"`
	Reference string        `json:"reference,omitempty" doc:"your own, such as a ticket: it stands in the receipt; at most 128 bytes"`
	// Receipt erases the same person again.
	Receipt *PrivacyReceipt `json:"receipt,omitempty" doc:"of an erasure here, to repeat it after a restore; then nobody is named"`
}

// PrivacyCounts is what was found of a person, per store.
type PrivacyCounts struct {
	Devices       int64 `json:"devices" doc:"registrations"`
	Notifications int64 `json:"notifications" doc:"notifications with a delivery to the person"`
	Deliveries    int64 `json:"deliveries" doc:"deliveries in the ledger, and recipients that are not planned yet"`
	Open          int64 `json:"open" doc:"of those, without an outcome when it was looked: erased, they end as user.erased"`
	PageRows      int64 `json:"page_rows" doc:"rows of uploads and of resolved targets"`
	DeadLetters   int64 `json:"dead_letters" doc:"dead letters"`
	Tombstones    int64 `json:"tombstones" doc:"user id and addresses that nothing is sent to any more"`
	Skipped       int64 `json:"skipped" doc:"pages that could not be read"`
}

// PrivacyReceipt says what was done for a privacy request, and is signed.
type PrivacyReceipt struct {
	Version   int           `json:"version" doc:"of the form of receipts: 1"`
	Request   string        `json:"request" doc:"prv_ and a UUID"`
	Tenant    string        `json:"tenant" doc:"whose user it was"`
	Action    PrivacyAction `json:"action" doc:"what was done"`
	By        string        `json:"by" doc:"who asked: an API key by name"`
	Reference string        `json:"reference" doc:"the caller's own"`
	CreatedAt time.Time     `json:"created_at" doc:"when it was asked for; whole seconds"`
	EndedAt   time.Time     `json:"ended_at" doc:"when it was done; whole seconds"`
	Counts    PrivacyCounts `json:"counts" doc:"what was found, per store"`
	Hashes    []string      `json:"hashes" doc:"keyed hashes of the user id and addresses: they tell nobody who it was"`
	PublicKey string        `json:"public_key" doc:"Ed25519, base64; the same for all receipts of an installation"`
	Signature string        `json:"signature" doc:"Ed25519, base64, over the receipt without it in the form of RFC 8785"`
}

// Verify checks the receipt's signature with the installation's public key as base64. With "" it
// checks with the key that the receipt names, which says only that nobody has changed it since.
func (r PrivacyReceipt) Verify(publicKey string) error {
	if publicKey != "" && publicKey != r.PublicKey {
		return errors.New("the receipt is signed with another key")
	}
	key, err := base64.StdEncoding.DecodeString(r.PublicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return errors.New("the receipt's public_key is no Ed25519 key as base64")
	}
	signature, err := base64.StdEncoding.DecodeString(r.Signature)
	if err != nil {
		return errors.New("the receipt's signature is not base64")
	}
	statement, err := r.statement()
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, statement, signature) {
		return errors.New("the signature does not fit: the receipt was changed, or is another installation's")
	}
	return nil
}

// statement is what is signed.
func (r PrivacyReceipt) statement() ([]byte, error) {
	r.Signature = ""
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the receipt: %w", err)
	}
	var tree map[string]any
	in := json.NewDecoder(bytes.NewReader(raw))
	in.UseNumber()
	if err := in.Decode(&tree); err != nil {
		return nil, fmt.Errorf("encode the receipt: %w", err)
	}
	delete(tree, "signature")
	var out bytes.Buffer
	enc := json.NewEncoder(&out) // sorts names
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, fmt.Errorf("encode the receipt: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// PrivacyRequest is how a privacy request stands. It never says whom it is about.
type PrivacyRequest struct {
	ID        string          `json:"id" doc:"prv_ and a UUID"`
	Action    PrivacyAction   `json:"action" doc:"what is done"`
	State     PrivacyState    `json:"state" doc:"where it stands"`
	By        string          `json:"by,omitempty" doc:"who asked: an API key by name"`
	Reference string          `json:"reference,omitempty" doc:"the caller's own"`
	CreatedAt time.Time       `json:"created_at" doc:"when it was asked for"`
	EndedAt   *time.Time      `json:"ended_at,omitempty" doc:"when it ended"`
	ExpiresAt *time.Time      `json:"expires_at,omitempty" doc:"until when an export may be fetched"`
	Counts    PrivacyCounts   `json:"counts" doc:"what has been found so far"`
	Receipt   *PrivacyReceipt `json:"receipt,omitempty" doc:"once it is done, or was fetched"`
}

// PrivacyList is a page of privacy requests, oldest first.
type PrivacyList struct {
	Items      []PrivacyRequest `json:"items" doc:"the requests; a page may have none and be followed by others"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// PrivacyRow is a line of an export; exactly one of its members is set.
type PrivacyRow struct {
	Device     *Device          `json:"device,omitempty" doc:"a registration"`
	Delivery   *PrivacyDelivery `json:"delivery,omitempty" doc:"a delivery"`
	DeadLetter *PrivacyLetter   `json:"dead_letter,omitempty" doc:"a dead letter"`
	Receipt    *PrivacyReceipt  `json:"receipt,omitempty" doc:"the last line: without it the export is cut off"`
}

// PrivacyDelivery is one delivery to a person.
type PrivacyDelivery struct {
	Notification      string            `json:"notification" doc:"ntf_ or bat_ and a UUID"`
	AcceptedAt        time.Time         `json:"accepted_at" doc:"when the notification was accepted"`
	Labels            map[string]string `json:"labels,omitempty" doc:"of the notification"`
	Message           json.RawMessage   `json:"message" doc:"what was sent; what one recipient got instead is not in it"`
	Code              Code              `json:"code" doc:"how it ended, open if it has not"`
	Class             Class             `json:"class" doc:"of the code"`
	At                *time.Time        `json:"at,omitempty" doc:"when that was"`
	PossibleDuplicate bool              `json:"possible_duplicate,omitempty" doc:"it may have arrived more than once"`
	Attempts          []Attempt         `json:"attempts,omitempty" doc:"the requests to FCM that are kept"`
}

// PrivacyLetter is one dead letter of a person.
type PrivacyLetter struct {
	ID           string            `json:"id" doc:"dlt_ and a UUID"`
	Notification string            `json:"notification,omitempty" doc:"whose delivery died"`
	Code         Code              `json:"code" doc:"why it is dead"`
	State        DeadLetterState   `json:"state" doc:"where it stands"`
	DeadAt       time.Time         `json:"dead_at" doc:"when it died"`
	Detail       string            `json:"detail,omitempty" doc:"the last evidence"`
	UserID       string            `json:"user_id,omitempty" doc:"of the recipient"`
	DeviceID     string            `json:"device_id,omitempty" doc:"of the recipient"`
	Token        string            `json:"token,omitempty" doc:"of the recipient"`
	FID          string            `json:"fid,omitempty" doc:"of the recipient"`
	Data         map[string]string `json:"data,omitempty" doc:"what only this recipient was to get"`
	Whole        bool              `json:"whole,omitempty" doc:"a queue message that names the person; others may stand in it, so it is not shown"`
}
