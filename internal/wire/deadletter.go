package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// ErrTooLarge says that a dead letter does not fit into a queue message, not even
// packed.
var ErrTooLarge = errors.New("larger than a queue message")

type deadLetterJSON struct {
	envelope
	Queue    string    `json:"queue"`
	ID       string    `json:"message_id,omitempty"`
	Code     string    `json:"code"`
	Detail   string    `json:"detail,omitempty"`
	Packed   string    `json:"packed,omitempty"` // how the body is compressed; "" for as it is
	Body     []byte    `json:"body"`             // base64: the original may be anything
	Bytes    int       `json:"bytes,omitempty"`
	Sum      string    `json:"sha256,omitempty"`
	Group    string    `json:"group,omitempty"`
	Receives int       `json:"receives"`
	SentAt   time.Time `json:"sent_at"`
	At       time.Time `json:"at"`
	Software string    `json:"software"`
}

// EncodeDeadLetter returns the letter as a message body for a dead-letter queue.
// Base64 makes a body a third longer. One that does not fit into [MaxMessage]
// that way is compressed, and the letter has version 2, which a drain that is
// older leaves on the queue; one that does not fit then either is [ErrTooLarge].
func EncodeDeadLetter(d *push.DeadLetter) ([]byte, error) {
	out := deadLetterJSON{
		envelope: envelope{V: Version, Type: typeDeadLetter},
		Queue:    d.Queue, ID: d.ID, Code: d.Code.String(), Detail: d.Detail, Body: d.Body, Bytes: d.Bytes, Sum: d.Sum, Group: d.Group,
		Receives: d.Receives, SentAt: d.SentAt, At: d.At, Software: d.Software,
	}
	if d.Bytes > 0 {
		out.V = packedVersion
	}
	const base64 = 4. / 3
	if float64(len(d.Body))*base64 < MaxMessage {
		if body, err := encode(out); err != nil || len(body) <= MaxMessage {
			return body, err
		}
	}
	var err error
	out.V, out.Packed = packedVersion, packedDeflate
	if out.Body, err = deflate(d.Body); err != nil {
		return nil, err
	}
	body, err := encode(out)
	if err == nil && len(body) > MaxMessage {
		return nil, fmt.Errorf("dead letter of %d bytes, %d when packed: %w", len(d.Body), len(body), ErrTooLarge)
	}
	return body, err
}

// DecodeDeadLetter reads a message body from a dead-letter queue. What the
// queue's own redrive put there is no envelope: it is [ErrForeign] here, and
// the body itself is the letter. [Contents] finds a letter inside of others.
func DecodeDeadLetter(data []byte) (push.DeadLetter, error) {
	var in deadLetterJSON
	if err := decode(data, typeDeadLetter, &in, &in.envelope); err != nil {
		return push.DeadLetter{}, err
	}
	code, ok := push.CodeNamed(in.Code)
	if !ok {
		return push.DeadLetter{}, fmt.Errorf("dead letter of code %q: %w", clip(in.Code), push.ErrNewerSchema)
	}
	switch in.Packed {
	case "":
	case packedDeflate:
		var err error
		if in.Body, err = inflate(in.Body); err != nil {
			return push.DeadLetter{}, fmt.Errorf("%w: %w", ErrForeign, err)
		}
	default:
		return push.DeadLetter{}, fmt.Errorf("dead letter packed by %q: %w", clip(in.Packed), push.ErrNewerSchema)
	}
	if in.Bytes != 0 && in.Bytes <= len(in.Body) {
		return push.DeadLetter{}, fmt.Errorf("%w: a dead letter with %d bytes of %d", ErrForeign, len(in.Body), in.Bytes)
	}
	return push.DeadLetter{
		Queue: in.Queue, ID: in.ID, Code: code, Detail: in.Detail, Body: in.Body, Bytes: in.Bytes, Sum: in.Sum, Group: in.Group,
		Receives: in.Receives, SentAt: in.SentAt, At: in.At, Software: in.Software,
	}, nil
}

// Undelivered is the body of the dead letter that deliver writes for
// recipients whose attempts are exhausted: a chunk of just them.
type Undelivered struct {
	Chunk  push.Chunk
	Codes  []push.Code // parallel to Chunk.Recipients: the last code of each
	Detail []string    // parallel: FCM's last words
}

type undeliveredJSON struct {
	Chunk   json.RawMessage `json:"chunk"`
	Codes   []push.Code     `json:"codes"`
	Details []string        `json:"details"`
}

// EncodeUndelivered returns the body for [push.DeadLetter.Body].
func EncodeUndelivered(u *Undelivered, traceParent string) ([]byte, error) {
	chunk, err := EncodeChunk(&u.Chunk, traceParent)
	if err != nil {
		return nil, err
	}
	return encode(undeliveredJSON{Chunk: chunk, Codes: u.Codes, Details: u.Detail})
}

// DecodeUndelivered reads what [EncodeUndelivered] wrote.
func DecodeUndelivered(data []byte) (Undelivered, string, error) {
	var in undeliveredJSON
	if err := json.Unmarshal(data, &in); err != nil { //nolint:forbidigo // our own, ASCII; what is foreign is kept byte for byte
		return Undelivered{}, "", unreadable(data, err)
	}
	c, trace, err := DecodeChunk(in.Chunk)
	if err != nil {
		return Undelivered{}, "", err
	}
	if len(in.Codes) != len(c.Recipients) || len(in.Details) != len(c.Recipients) {
		return Undelivered{}, "", fmt.Errorf("%w: %d codes and %d details for %d recipients", ErrForeign, len(in.Codes), len(in.Details),
			len(c.Recipients))
	}
	return Undelivered{Chunk: c, Codes: in.Codes, Detail: in.Details}, trace, nil
}
