package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
)

// KeyKind says what a [Key] names.
type KeyKind string

// The kinds of key. Their names are the prefixes of a key's text.
const (
	KeyAny       KeyKind = ""          // whatever it may be: an address of any kind, a device's or a user's id
	KeyToken     KeyKind = "token"     // registration token
	KeyFID       KeyKind = "fid"       // Firebase installation id
	KeyTopic     KeyKind = "topic"     // topic
	KeyCondition KeyKind = "condition" // condition over topics
	KeyDevice    KeyKind = "device"    // id in the registry
	KeyUser      KeyKind = "user"      // every delivery to one of their devices
	KeyLine      KeyKind = "line"      // line of a batch's upload, from 1
	KeyHash      KeyKind = "hash"      // address_hash of a delivery's row, 16 hexadecimal digits
)

// Key names a recipient within a notification. Its value may be a secret.
type Key struct {
	Kind  KeyKind
	Value push.Token
	Line  int64  // of KeyLine
	Hash  uint64 // of KeyHash
}

// ParseKey reads kind:value, or a value of unknown kind. A token may hold a colon, but the
// text before it is never one of the kinds: an instance id has at least 11 characters. Errors are push.Faults.
func ParseKey(s string) (Key, error) {
	fault := func(detail string) (Key, error) {
		return Key{}, push.Faults{{Pointer: "recipient", Code: push.FaultValue, Detail: detail}}
	}
	kind, value, found := strings.Cut(s, ":")
	k := Key{Kind: KeyKind(kind), Value: push.Token(value)}
	if !found || !k.Kind.known() {
		k = Key{Value: push.Token(s)}
	}
	switch k.Kind {
	case KeyLine:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 1 {
			return fault("line: must be followed by the number of an upload line, from 1")
		}
		k.Line, k.Value = n, ""
	case KeyHash:
		h, err := strconv.ParseUint(value, 16, 64)
		if err != nil || len(value) != 16 {
			return fault("hash: must be followed by an address_hash, 16 hexadecimal digits")
		}
		k.Hash, k.Value = h, ""
	case KeyAny, KeyToken, KeyFID, KeyTopic, KeyCondition, KeyDevice, KeyUser:
		if k.Value == "" || len(k.Value) > push.MaxAddressBytes {
			return fault(fmt.Sprintf("must have 1..%d bytes (got %d)", push.MaxAddressBytes, len(k.Value)))
		}
	}
	return k, nil
}

func (k KeyKind) known() bool {
	switch k {
	case KeyToken, KeyFID, KeyTopic, KeyCondition, KeyDevice, KeyUser, KeyLine, KeyHash:
		return true
	case KeyAny:
	}
	return false
}

// hashes returns the hashes of all addresses that the key itself may be.
func (k *Key) hashes() map[uint64]bool {
	out := map[uint64]bool{}
	for _, kind := range []push.Kind{push.KindToken, push.KindFID, push.KindTopic, push.KindCondition} {
		if k.Kind == KeyAny || k.Kind == KeyKind(kind) {
			out[push.Address{Kind: kind, Value: k.Value}.Hash()] = true
		}
	}
	if k.Kind == KeyHash {
		out[k.Hash] = true
	}
	return out
}

// names reports whether the key is, or may be, the id of a device or user.
func (k *Key) names(kind KeyKind, id string) bool {
	return (k.Kind == KeyAny || k.Kind == kind) && id != "" && k.Value.Reveal() == id
}
