package worker

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// MaxGroupBytes is the limit of a message's group, SQS's of a MessageGroupId.
const MaxGroupBytes = 128

// CheckBatch refuses a call as a whole for its number of messages.
func CheckBatch(n int) error {
	if n > MaxBatch {
		return fmt.Errorf("batch: must be at most %d messages (got %d)", MaxBatch, n)
	}
	return nil
}

// CheckOutgoing refuses a batch as a whole because of its size, or single
// messages of it, by their position. A driver looks before it sends: for some of
// these SQS refuses the whole call, and with it the good messages.
func CheckOutgoing(msgs []Outgoing) (map[int]error, error) {
	if err := CheckBatch(len(msgs)); err != nil {
		return nil, err
	}
	failed := map[int]error{}
	total := 0
	for i := range msgs {
		if err := CheckMessage(&msgs[i]); err != nil {
			failed[i] = err
			continue
		}
		total += len(msgs[i].Body)
	}
	if total > MaxBodyBytes {
		return nil, fmt.Errorf("batch: bodies must be at most %d bytes together (got %d)", MaxBodyBytes, total)
	}
	return failed, nil
}

// CheckMessage returns why no queue takes the message, or nil.
func CheckMessage(m *Outgoing) error {
	switch {
	case len(m.Group) > MaxGroupBytes:
		return fmt.Errorf("group: must be at most %d characters (got %d)", MaxGroupBytes, len(m.Group))
	case m.Delay < 0 || m.Delay > MaxDelay || m.Delay%time.Second != 0:
		return fmt.Errorf("delay: must be 0..%v in whole seconds (got %v)", MaxDelay, m.Delay)
	}
	for i := range len(m.Group) {
		if c := m.Group[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("group: must be ASCII letters, digits and punctuation (byte %d is %#x)", i, c)
		}
	}
	return CheckBody(m.Body)
}

// CheckBody returns why no queue takes the bytes as a message, or nil.
func CheckBody(body []byte) error {
	switch {
	case len(body) == 0:
		return errors.New("body: must not be empty")
	case len(body) > MaxBodyBytes:
		return fmt.Errorf("body: must be at most %d bytes (got %d)", MaxBodyBytes, len(body))
	}
	if i, ok := foreign(body); ok {
		return fmt.Errorf("body: must be XML characters in UTF-8, without most control characters, as SQS has it (byte %d is 0x%02x)", i, body[i])
	}
	return nil
}

// foreign finds the first byte that starts no character which SQS allows:
// #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
func foreign(body []byte) (at int, found bool) {
	for i := 0; i < len(body); {
		c := body[i]
		if c >= ' ' && c < utf8.RuneSelf { // what Belfry sends is all ASCII
			i++
			continue
		}
		r, size := utf8.DecodeRune(body[i:])
		switch {
		case r == utf8.RuneError && size == 1: // not UTF-8
			return i, true
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return i, true
		}
		i += size
	}
	return 0, false
}

// CheckReceive refuses a receive whose arguments are out of range.
func CheckReceive(limit int, wait time.Duration) error {
	if limit < 1 || limit > MaxBatch {
		return fmt.Errorf("limit: must be 1..%d (got %d)", MaxBatch, limit)
	}
	if wait < 0 || wait > MaxWait {
		return fmt.Errorf("wait: must be 0..%v (got %v)", MaxWait, wait)
	}
	return nil
}

// CheckVisibility refuses a visibility timeout out of range.
func CheckVisibility(v time.Duration) error {
	if v < 0 || v > MaxVisibility {
		return fmt.Errorf("visibility: must be 0..%v (got %v)", MaxVisibility, v)
	}
	return nil
}

// Partly returns the error of a call of which single messages failed, nil when
// none did.
func Partly(failed map[int]error) error {
	if len(failed) == 0 {
		return nil
	}
	return &BatchError{Failed: failed}
}
