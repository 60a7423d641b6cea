package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
)

// ErrDamaged says that stored bytes are not what this driver writes.
var ErrDamaged = errors.New("stored bytes are damaged")

// MaxInflated bounds what a stored value may inflate to: far more than the
// 400 KB of an item hold in practice, far less than what harms.
const MaxInflated = 16 << 20

// Deflate appends b, compressed, to dst. The stateless encoder needs no table
// of its own between calls, so that many small values cost little memory.
func Deflate(dst, b []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	if err := flate.StatelessDeflate(out, b, true, nil); err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	return out.Bytes(), nil
}

// Inflate returns what Deflate was given, unless it is longer than most.
func Inflate(b []byte, most int64) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(b))
	plain, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if int64(len(plain)) > most {
		return nil, ErrDamaged
	}
	return plain, nil
}
