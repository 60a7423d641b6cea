package table

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// The first byte of what PackJSON returns.
const (
	packPlain    = 1 // JSON
	packDeflated = 2 // JSON in DEFLATE (RFC 1951)
)

// PackJSON encodes v, deflated where that is shorter: an item is billed by the
// kilobyte. It leaves <, > and & as they are, because a message comes back byte
// for byte as it was accepted.
func PackJSON(v any) ([]byte, error) {
	b := bytes.NewBuffer([]byte{packPlain})
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return shorter(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// Pack encodes b, deflated where that is shorter.
func Pack(b []byte) ([]byte, error) { return shorter(append([]byte{packPlain}, b...)) }

// shorter deflates what is packed plainly if that makes it shorter.
func shorter(plain []byte) ([]byte, error) {
	deflated, err := Deflate([]byte{packDeflated}, plain[1:])
	if err != nil {
		return nil, err
	}
	if len(deflated) < len(plain) {
		return deflated, nil
	}
	return plain, nil
}

// UnpackJSON reads what PackJSON wrote. A format that is not known is
// push.ErrNewerSchema, damage ErrDamaged.
func UnpackJSON(b []byte, v any) error {
	plain, err := Unpack(b)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// Unpack returns what Pack was given.
func Unpack(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, ErrDamaged
	}
	switch b[0] {
	case packPlain:
		return b[1:], nil
	case packDeflated:
		return Inflate(b[1:], MaxInflated)
	default:
		return nil, fmt.Errorf("format %d: %w", b[0], push.ErrNewerSchema)
	}
}
