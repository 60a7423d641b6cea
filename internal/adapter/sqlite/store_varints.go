package sqlite

import (
	"encoding/binary"

	"github.com/belfry-push/belfry/internal/push"
)

// varints reads the values that the codecs of this package write. After
// anything unreadable it is bad and returns zeros.
type varints struct {
	b   []byte
	bad bool
}

func (r *varints) take(v uint64, n int) uint64 {
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number that fits an int on every platform.
func (r *varints) count() int {
	v := r.take(binary.Uvarint(r.b))
	if v > 1<<31-1 {
		r.bad = true
		return 0
	}
	return int(v)
}

func (r *varints) code() push.Code {
	v := r.count()
	if v > 127 {
		r.bad = true
		return 0
	}
	return push.Code(v) //nolint:gosec // checked
}

func (r *varints) signed() int64 {
	v, n := binary.Varint(r.b)
	r.take(0, n)
	return v
}

// text reads a text and its length.
func (r *varints) text() string { return string(r.bytes()) }

// bytes reads a text where it is.
func (r *varints) bytes() []byte {
	n := r.count()
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// unsigned clamps what can't be negative but in a broken caller.
func unsigned[T int | int64](n T) uint64 { return uint64(max(n, 0)) }
