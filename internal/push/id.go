package push

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/belfry-push/belfry/internal/strict"
)

// ID names one thing for its whole life: a prefix that says what it is and a
// UUID, as in "ntf_01890a5d-ac96-774b-bcce-b302099a8057". IDs are ASCII, at
// most 40 bytes, and sort by creation time when they were made by [NewID].
type ID string

// The prefixes of every id in the system.
const (
	PrefixNotification = "ntf"
	PrefixBatch        = "bat"
	PrefixDevice       = "dev"
	PrefixDeadLetter   = "dlt"
	PrefixReplay       = "rpl"
	PrefixSimulation   = "sim"
	PrefixEvent        = "evt"
	PrefixApproval     = "apr"
	PrefixPrivacy      = "prv"
	PrefixCredential   = "crd"
)

// NewID returns a fresh id with the given prefix: a UUIDv7 (RFC 9562 §5.7), so
// that ids of one prefix sort by time of creation to the millisecond.
// Safe for concurrent use.
func NewID(prefix string) ID {
	return ID(prefix + "_" + uuid.Must(uuid.NewV7()).String())
}

// DerivedID returns the id that belongs to a tenant's idempotency key: always
// the same for the same prefix, tenant and key, so that the item stored under
// it is itself the idempotency record. It is a UUIDv8 (RFC 9562 §5.8) cut from
// a SHA-256.
func DerivedID(prefix, tenant, key string) ID {
	h := sha256.New()
	// Lengths first, so that ("a","bc") and ("ab","c") differ.
	_, _ = fmt.Fprintf(h, "%s %d:%s %d:%s", prefix, len(tenant), tenant, len(key), key)
	var u uuid.UUID
	copy(u[:], h.Sum(nil))
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return ID(prefix + "_" + u.String())
}

// ParseID checks that s is an id with one of the wanted prefixes. The error
// names the value and the form that was expected.
func ParseID(s string, prefixes ...string) (ID, error) {
	prefix, rest, ok := strings.Cut(s, "_")
	if ok && len(rest) == 36 {
		if _, err := uuid.Parse(rest); err == nil {
			if slices.Contains(prefixes, prefix) {
				return ID(s), nil
			}
		}
	}
	return "", fmt.Errorf("id %q: must be %s_ followed by a UUID", Clip(s), strings.Join(prefixes, "_ or "))
}

// Prefix returns the part of the id before the underscore.
func (id ID) Prefix() string {
	p, _, _ := strings.Cut(string(id), "_")
	return p
}

// IsBatch reports whether the id names a batch, a notification whose recipients
// arrive by upload.
func (id ID) IsBatch() bool { return id.Prefix() == PrefixBatch }

// Clip shortens a caller's value before it is echoed in an error: to 48 bytes, of
// whole characters.
func Clip(s string) string {
	const most = 48
	return strict.Clip(s, most)
}
