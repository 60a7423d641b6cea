// Package packed writes and reads what more than one driver stores in the same
// bytes: numbers as varints, texts behind their lengths, and the attempts of a
// checkpoint. It knows nothing of where they are stored, and puts no format number
// in front of them: that is the driver's.
package packed

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/belfry-push/belfry/internal/push"
)

// AppendCount appends a number that a [Reader] reads with Count. It clamps what
// can't be negative but in a broken caller.
func AppendCount[T int | int64](dst []byte, n T) []byte {
	return binary.AppendUvarint(dst, uint64(max(n, 0)))
}

// AppendText appends a text behind its length, as Text reads it.
func AppendText(dst []byte, s string) []byte {
	return append(AppendCount(dst, len(s)), s...)
}

// AppendTexts appends names and what they stand for, sorted, as Texts reads them.
func AppendTexts(dst []byte, m map[string]string) []byte {
	dst = AppendCount(dst, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		dst = AppendText(AppendText(dst, key), m[key])
	}
	return dst
}

// Reader reads values in the order in which they were appended. After anything
// unreadable it is Bad and returns zeros. It is not safe for concurrent use.
type Reader struct {
	Left []byte // what is not read yet
	Bad  bool
}

func (r *Reader) take(v uint64, n int) uint64 {
	if n <= 0 || r.Bad {
		r.Bad = true
		return 0
	}
	r.Left = r.Left[n:]
	return v
}

// Count reads a number that fits an int on every platform.
func (r *Reader) Count() int {
	v := r.take(binary.Uvarint(r.Left))
	if v > 1<<31-1 {
		r.Bad = true
		return 0
	}
	return int(v)
}

// Code reads an outcome code.
func (r *Reader) Code() push.Code {
	const most = 127 // a cell's code has 7 bits
	v := r.Count()
	if v > most {
		r.Bad = true
		return 0
	}
	return push.Code(v) //nolint:gosec // checked
}

// Signed reads a signed varint, as [binary.AppendVarint] appends it.
func (r *Reader) Signed() int64 {
	v, n := binary.Varint(r.Left)
	r.take(0, n)
	return v
}

// Text reads a text.
func (r *Reader) Text() string { return string(r.Bytes()) }

// Bytes reads a text where it is: it is part of what is read.
func (r *Reader) Bytes() []byte {
	n := r.Count()
	if r.Bad || n > len(r.Left) {
		r.Bad = true
		return nil
	}
	b := r.Left[:n]
	r.Left = r.Left[n:]
	return b
}

// Texts reads names and what they stand for; nil if there are none.
func (r *Reader) Texts() map[string]string {
	n := r.Count()
	if n == 0 || n > len(r.Left) { // a pair has two bytes at least
		r.Bad = r.Bad || n > 0
		return nil
	}
	m := make(map[string]string, n)
	for range n {
		key := r.Text()
		m[key] = r.Text()
	}
	return m
}
