package table

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is one stored item, or its key: attributes by name. Reading an attribute
// that is absent or of another type gives the zero value, so that a program can
// read what an older one wrote.
type Item map[string]types.AttributeValue

// Text is a value of type S.
func Text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// Number is a value of type N.
func Number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// Blob keeps nil from becoming NULL.
func Blob(b []byte) types.AttributeValue {
	if b == nil {
		b = []byte{}
	}
	return &types.AttributeValueMemberB{Value: b}
}

// Boolean is a value of type BOOL.
func Boolean(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

// Text reads an S.
func (i Item) Text(name string) string {
	if v, ok := i[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

// Number reads an N.
func (i Item) Number(name string) int64 { return NumberOf(i[name]) }

// NumberOf reads an N, 0 of anything else.
func NumberOf(v types.AttributeValue) int64 {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	parsed, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return 0
	}
	return parsed
}

// Bytes reads a B.
func (i Item) Bytes(name string) []byte {
	if v, ok := i[name].(*types.AttributeValueMemberB); ok {
		return v.Value
	}
	return nil
}

// Flag reads a BOOL.
func (i Item) Flag(name string) bool {
	v, ok := i[name].(*types.AttributeValueMemberBOOL)
	return ok && v.Value
}

// Has reports whether there is the attribute, of whatever type.
func (i Item) Has(name string) bool { return i[name] != nil }

// SetText leaves an empty text out: absent and empty read the same.
func (i Item) SetText(name, s string) {
	if s != "" {
		i[name] = Text(s)
	}
}

// SetTime stores microseconds since 1970; the zero time is left out.
func (i Item) SetTime(name string, t time.Time) {
	if !t.IsZero() {
		i[name] = Number(t.UnixMicro())
	}
}

// Time reads what SetTime stored, the zero time if there is nothing.
func (i Item) Time(name string) time.Time {
	if !i.Has(name) {
		return time.Time{}
	}
	return time.UnixMicro(i.Number(name)).UTC()
}

// Key returns the named attributes alone.
func (i Item) Key(names ...string) Item {
	k := make(Item, len(names))
	for _, name := range names {
		k[name] = i[name]
	}
	return k
}

// Sortable is a time as a text that sorts like it: microseconds since 1970 in
// 16 hexadecimal digits, with the sign flipped so that earlier years sort first.
func Sortable(t time.Time) string {
	const sign = 1 << 63
	return fmt.Sprintf("%0*x", SortableLen, uint64(t.UnixMicro())^sign)
}

// SortableLen is the length of what Sortable returns.
const SortableLen = 16

// ParseSortable reads what Sortable returned.
func ParseSortable(s string) (time.Time, error) {
	const sign = 1 << 63
	us, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != SortableLen {
		return time.Time{}, fmt.Errorf("%q is not a time of %d hexadecimal digits", s, SortableLen)
	}
	return time.UnixMicro(int64(us ^ sign)).UTC(), nil //nolint:gosec // the same 64 bits
}

// Nonce marks one write of one item. A conditional write compares the nonce
// that was read; and a write whose answer got lost, repeated by the SDK and
// refused because it had succeeded, recognises itself by its own.
type Nonce [8]byte

// NewNonce returns one that no other write has.
func (c *Client) NewNonce() Nonce {
	var n Nonce
	binary.BigEndian.PutUint64(n[:], c.Random())
	return n
}

// Value is the nonce as an attribute.
func (n Nonce) Value() types.AttributeValue { return Blob(n[:]) }

// NonceAt reads a nonce, the zero one if there is none.
func (i Item) NonceAt(name string) Nonce {
	var n Nonce
	copy(n[:], i.Bytes(name))
	return n
}
