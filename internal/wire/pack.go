package wire

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/belfry-push/belfry/internal/push"
)

const (
	// packedVersion is the version of a dead letter whose body is packed or cut.
	packedVersion = 2
	packedDeflate = "deflate" // RFC 1951
)

func deflate(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	if _, err := w.Write(body); err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	return b.Bytes(), nil
}

// inflate undoes deflate. No body was longer than a queue message, so whatever
// grows beyond that was made to.
func inflate(packed []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(packed))
	body, err := io.ReadAll(io.LimitReader(r, MaxMessage+1))
	if err == nil && len(body) > MaxMessage {
		err = errors.New("too long")
	}
	if err != nil {
		return nil, fmt.Errorf("inflate a body: %w", err)
	}
	return body, nil
}

// EncodeCutDeadLetter is [EncodeDeadLetter] for the whole message of somebody
// else. If that does not fit, as much of its beginning is kept as does, and the
// letter tells how long the whole was and its SHA-256.
func EncodeCutDeadLetter(d *push.DeadLetter) ([]byte, error) {
	body, err := EncodeDeadLetter(d)
	if !errors.Is(err, ErrTooLarge) {
		return body, err
	}
	sum := sha256.Sum256(d.Body)
	cut := *d
	cut.Bytes, cut.Sum = len(d.Body), hex.EncodeToString(sum[:])
	// Of what hardly gets shorter by packing, a bit less than three quarters fit.
	const step = 8
	for keep := len(d.Body) - len(d.Body)/step; ; keep -= keep / step {
		cut.Body = d.Body[:keep]
		if body, err = EncodeDeadLetter(&cut); !errors.Is(err, ErrTooLarge) || keep < step {
			return body, err
		}
	}
}
