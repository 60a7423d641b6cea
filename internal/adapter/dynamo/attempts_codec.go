package dynamo

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// evidenceFormat is the first byte of a checkpoint's attempts.
const evidenceFormat = 1

// encodeAttempts encodes the attempts of one checkpoint: the format's number,
// then, deflated, for each attempt
//
//	cell, attempt, code   unsigned varints
//	time                  milliseconds since 1970, signed varint, less the one before
//	latency               milliseconds, unsigned varint
//	detail                how many bytes it shares with the one before, unsigned varint; the rest as text
//
// Message names share their first half, so 50 attempts fit one or two write
// units.
func encodeAttempts(attempts []ledger.Attempt) ([]byte, error) {
	var b []byte
	var at int64
	detail := ""
	for i := range attempts {
		a := &attempts[i]
		b = appendUnsigned(b, a.Cell)
		b = appendUnsigned(b, a.Attempt)
		b = appendUnsigned(b, int(a.Code))
		ms := a.At.UnixMilli()
		b = binary.AppendVarint(b, ms-at)
		b = appendUnsigned(b, int(a.Latency.Milliseconds()))
		shared := sharedPrefix(detail, a.Detail)
		b = appendUnsigned(b, shared)
		b = appendUnsigned(b, len(a.Detail)-shared)
		b = append(b, a.Detail[shared:]...)
		at, detail = ms, a.Detail
	}
	return deflate([]byte{evidenceFormat}, b)
}

// appendUnsigned clamps what can't be negative but in a broken caller.
func appendUnsigned(dst []byte, n int) []byte {
	return binary.AppendUvarint(dst, uint64(max(n, 0)))
}

func sharedPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// decodeAttempts appends the attempts of one checkpoint to dst.
func decodeAttempts(dst []ledger.Attempt, b []byte) ([]ledger.Attempt, error) {
	if len(b) == 0 {
		return dst, errDamaged
	}
	if b[0] != evidenceFormat {
		return dst, fmt.Errorf("attempts in format %d: %w", b[0], push.ErrNewerSchema)
	}
	plain, err := inflate(b[1:], maxInflated)
	if err != nil {
		return dst, err
	}
	r := varints{b: plain}
	var at int64
	detail := ""
	for len(r.b) > 0 {
		a := ledger.Attempt{Cell: r.count(), Attempt: r.count(), Code: r.code()}
		at += r.signed()
		a.At = time.UnixMilli(at).UTC()
		a.Latency = time.Duration(r.count()) * time.Millisecond
		shared := r.count()
		more := r.text()
		if r.bad || shared > len(detail) {
			return dst, errDamaged
		}
		detail = detail[:shared] + more
		a.Detail = detail
		dst = append(dst, a)
	}
	return dst, nil
}

// varints reads what encodeAttempts writes. After anything unreadable it is bad
// and returns zeros.
type varints struct {
	b   []byte
	bad bool
}

// count reads a number that fits an int on every platform.
func (r *varints) count() int {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	if v > 1<<31-1 {
		r.bad = true
	}
	if r.bad {
		return 0
	}
	return int(v) //nolint:gosec // checked
}

func (r *varints) signed() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *varints) code() push.Code {
	const most = 127 // a cell's code has 7 bits
	v := r.count()
	if v > most {
		r.bad = true
		return 0
	}
	return push.Code(v) //nolint:gosec // checked
}

// text reads a text behind its length.
func (r *varints) text() string {
	n := r.count()
	if r.bad || n > len(r.b) {
		r.bad = true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *varints) skip(n int) {
	if n <= 0 || r.bad {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}
