package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Kind says why a call is in the log.
type Kind string

// The kinds of entry.
const (
	Change Kind = "change" // it changes something, or tried to
	Read   Kind = "read"   // it shows addresses, or what was sent to whom
)

// Who asked.
type Who struct {
	Name string `json:"name"`          // of the caller: of an API key, of the source of an event, or local:USER
	Key  string `json:"key,omitempty"` // id of the API key; "" where there is none
}

// Target is what was asked for.
type Target struct {
	Kind string `json:"kind,omitempty"` // as in the API's paths: notifications, devices, dead-letters
	ID   string `json:"id,omitempty"`   // "" for all or many
}

// Entry is one call. It never holds an address, a secret or a text of a message: what of a body is recorded is its
// digest, and what of a document is recorded goes through [Redacted].
type Entry struct {
	Tenant string    `json:"tenant"`
	Seq    int64     `json:"seq"`  // in the tenant's chain, from 1
	Time   time.Time `json:"time"` // when it was answered, UTC in microseconds, by the clock of the process that wrote it
	Who    Who       `json:"who"`
	Action string    `json:"action"` // a route's operationId, or what a command does
	Kind   Kind      `json:"kind"`
	Target Target    `json:"target,omitzero"`
	From   string    `json:"from,omitempty"`       // address of the peer; "" inside the process
	Call   string    `json:"request_id,omitempty"` // as the answer and the server's log have it
	Trace  string    `json:"trace_id,omitempty"`
	Status int       `json:"status,omitempty"` // of HTTP
	Code   string    `json:"code,omitempty"`   // of the problem, if it was refused
	Body   string    `json:"body,omitempty"`   // digest of the request's body
	// Before and After are documents that the call changed, redacted.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	Reason string          `json:"reason,omitempty"` // what the caller gave, or why the answer was not the outcome
}

// Bounds of an entry's fields in bytes, so that an entry is at most about 20 KiB.
const (
	mostText     = 256
	mostReason   = 1000
	mostDocument = 8 << 10
)

// Canonical returns the bytes of an entry that its hash covers: JSON on one line, its fields in the order of [Entry]. Texts
// are cut at their bounds, and a document beyond its bound is replaced by its digest. The bytes are stored and exported as
// they are, and never made a second time.
func (e Entry) Canonical() ([]byte, error) {
	for _, s := range []*string{
		&e.Tenant, &e.Who.Name, &e.Who.Key, &e.Action, &e.Target.Kind, &e.Target.ID, &e.From, &e.Call, &e.Trace, &e.Code, &e.Body,
	} {
		*s = clipped(*s, mostText)
	}
	e.Reason = clipped(e.Reason, mostReason)
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	for _, doc := range []*json.RawMessage{&e.Before, &e.After} {
		if len(*doc) > mostDocument {
			*doc = json.RawMessage(`"` + Digest(*doc) + `"`)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encode an audit entry: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// clipped cuts a text at a whole character.
func clipped(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// Digest is what is recorded of bytes that must not be: sha256: and the SHA-256 in hexadecimal.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Hash is the hash of a chain up to an entry.
type Hash [sha256.Size]byte

// String returns it in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

var errHash = errors.New("a hash has 64 hexadecimal digits")

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return errHash
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return errHash
	}
	return nil
}

// Genesis is what stands before the first entry of a tenant's chain. No two tenants have the same, so that a chain cannot
// pass for another's.
func Genesis(tenant string) Hash { return sha256.Sum256([]byte("belfry audit genesis v1\n" + tenant)) }

// Next is the hash of an entry with these canonical bytes behind prev.
func Next(prev Hash, canonical []byte) (h Hash) {
	sum := sha256.New()
	sum.Write([]byte("belfry audit entry v1\n"))
	sum.Write(prev[:])
	sum.Write(canonical)
	sum.Sum(h[:0])
	return h
}
