package dynamo

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// item is one stored item, or its key: attributes by name. Reading an attribute
// that is absent or of another type gives the zero value, so that a program can
// read what an older one wrote.
type item map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// blob keeps nil from becoming NULL.
func blob(b []byte) types.AttributeValue {
	if b == nil {
		b = []byte{}
	}
	return &types.AttributeValueMemberB{Value: b}
}

func boolean(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

func (i item) text(name string) string {
	if v, ok := i[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

func (i item) number(name string) int64 { return numberOf(i[name]) }

func numberOf(v types.AttributeValue) int64 {
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

func (i item) bytes(name string) []byte {
	if v, ok := i[name].(*types.AttributeValueMemberB); ok {
		return v.Value
	}
	return nil
}

func (i item) flag(name string) bool {
	v, ok := i[name].(*types.AttributeValueMemberBOOL)
	return ok && v.Value
}

func (i item) has(name string) bool { return i[name] != nil }

// setText leaves an empty text out: absent and empty read the same.
func (i item) setText(name, s string) {
	if s != "" {
		i[name] = text(s)
	}
}

// setTime stores microseconds since 1970; the zero time is left out.
func (i item) setTime(name string, t time.Time) {
	if !t.IsZero() {
		i[name] = number(t.UnixMicro())
	}
}

func (i item) time(name string) time.Time {
	if !i.has(name) {
		return time.Time{}
	}
	return time.UnixMicro(i.number(name)).UTC()
}

// key returns the named attributes alone.
func (i item) key(names ...string) item {
	k := make(item, len(names))
	for _, name := range names {
		k[name] = i[name]
	}
	return k
}

// sortable is a time as a text that sorts like it: microseconds since 1970 in
// 16 hexadecimal digits, with the sign flipped so that earlier years sort first.
func sortable(t time.Time) string {
	const sign = 1 << 63
	return fmt.Sprintf("%0*x", sortableLen, uint64(t.UnixMicro())^sign)
}

const sortableLen = 16

func parseSortable(s string) (time.Time, error) {
	const sign = 1 << 63
	us, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != sortableLen {
		return time.Time{}, fmt.Errorf("%q is not a time of %d hexadecimal digits", s, sortableLen)
	}
	return time.UnixMicro(int64(us ^ sign)).UTC(), nil //nolint:gosec // the same 64 bits
}

// A nonce marks one write of one item. A conditional write compares the nonce
// that was read; and a write whose answer got lost, repeated by the SDK and
// refused because it had succeeded, recognises itself by its own.
type nonce [8]byte

func (s *Store) newNonce() nonce {
	var n nonce
	binary.BigEndian.PutUint64(n[:], s.random())
	return n
}

func (n nonce) value() types.AttributeValue { return blob(n[:]) }

// nonceAt reads a nonce, the zero one if there is none.
func (i item) nonceAt(name string) nonce {
	var n nonce
	copy(n[:], i.bytes(name))
	return n
}
