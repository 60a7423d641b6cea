package push

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/belfry-push/belfry/internal/message"
)

// Token is the secret half of an address: whoever holds a registration token
// can send to that device. It prints redacted through every fmt verb, so that
// a log line, an error or a panic cannot leak one; [Token.Reveal] is the only
// way out besides encoding to JSON for storage and the wire.
type Token string

// Reveal returns the token itself. Call it only to send, store or answer its
// owner.
func (t Token) Reveal() string { return string(t) }

// String returns a redacted form that still tells two tokens apart: the last
// four characters and the length.
func (t Token) String() string {
	const tail = 4
	if len(t) <= 2*tail {
		return fmt.Sprintf("…(%d)", len(t))
	}
	return fmt.Sprintf("…%s(%d)", string(t[len(t)-tail:]), len(t))
}

// Format implements [fmt.Formatter], so that %q, %x and %#v redact as well.
func (t Token) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, t.String()) }

// Kind says what an address names. A registry keys on (kind, value): the same
// characters may be a token in one place and a topic in another.
type Kind string

// The kinds of address that FCM's HTTP v1 Message accepts as its target
// (https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages).
const (
	KindToken     Kind = "token"     // registration token of one app instance
	KindFID       Kind = "fid"       // Firebase installation id of one app instance
	KindTopic     Kind = "topic"     // name of a topic, without "/topics/"
	KindCondition Kind = "condition" // boolean expression over topics
)

// Valid reports whether k is one of the four kinds.
func (k Kind) Valid() bool {
	switch k {
	case KindToken, KindFID, KindTopic, KindCondition:
		return true
	default:
		return false
	}
}

// IsDevice reports whether the address names one device, which the registry
// knows, rather than an audience that FCM expands.
func (k Kind) IsDevice() bool { return k == KindToken || k == KindFID }

// MaxAddressBytes bounds an address. FCM documents no limit for registration
// tokens; those seen are 142 to 200 bytes. 1,024 leaves room and keeps a chunk
// of 500 within one queue message.
const MaxAddressBytes = 1024

// Address is where one send goes: a kind and a value. The zero Address names
// nobody.
type Address struct {
	Kind  Kind
	Value Token
}

// IsZero reports whether the address names nobody.
func (a Address) IsZero() bool { return a.Value == "" }

// String returns the kind and the redacted value.
func (a Address) String() string { return string(a.Kind) + ":" + a.Value.String() }

// Hash returns the first 8 bytes of SHA-256 over kind and value: the form in
// which a ledger keeps an address. Two of a million addresses collide with a
// chance of 1 in 37 million.
func (a Address) Hash() uint64 {
	sum := a.sum()
	return binary.BigEndian.Uint64(sum[:8])
}

// sum is the SHA-256 of kind and value.
func (a Address) sum() [sha256.Size]byte {
	buf := make([]byte, 0, 256)
	buf = append(buf, a.Kind...)
	buf = append(buf, ':')
	buf = append(buf, a.Value...)
	return sha256.Sum256(buf)
}

// CheckAddress returns what is wrong with a kind and value, or "" if nothing
// is. It never repeats the value, which may be a secret.
func CheckAddress(k Kind, value string) string {
	switch {
	case value == "":
		return "must not be empty"
	case len(value) > MaxAddressBytes:
		return fmt.Sprintf("must be at most %d bytes (got %d)", MaxAddressBytes, len(value))
	case k == KindTopic:
		return message.CheckTopic(value)
	case k == KindCondition:
		return message.CheckCondition(value)
	}
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c > '~' {
			return fmt.Sprintf("must be printable ASCII without spaces (byte %d is 0x%02x)", i, c)
		}
	}
	return ""
}
