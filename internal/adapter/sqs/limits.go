package sqs

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/belfry-push/belfry/internal/worker"
)

// maxGroupChars is the limit of a MessageGroupId, which consists of
// alphanumeric characters and punctuation
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
const maxGroupChars = 128

// checkBatch refuses a call as a whole.
func checkBatch(n int) error {
	if n > worker.MaxBatch {
		return fmt.Errorf("batch: must be at most %d messages (got %d)", worker.MaxBatch, n)
	}
	return nil
}

// checkOutgoing refuses a batch as a whole because of its size, or single
// messages of it. It looks first, because for some of these SQS refuses the
// whole call and with it the good messages.
func checkOutgoing(msgs []worker.Outgoing) (map[int]error, error) {
	if err := checkBatch(len(msgs)); err != nil {
		return nil, err
	}
	failed := map[int]error{}
	total := 0
	for i := range msgs {
		if err := checkMessage(&msgs[i]); err != nil {
			failed[i] = err
			continue
		}
		total += len(msgs[i].Body)
	}
	if total > worker.MaxBodyBytes {
		return nil, fmt.Errorf("batch: bodies must be at most %d bytes together (got %d)", worker.MaxBodyBytes, total)
	}
	return failed, nil
}

func checkMessage(m *worker.Outgoing) error {
	switch {
	case len(m.Body) == 0:
		return errors.New("body: must not be empty")
	case len(m.Body) > worker.MaxBodyBytes:
		return fmt.Errorf("body: must be at most %d bytes (got %d)", worker.MaxBodyBytes, len(m.Body))
	case len(m.Group) > maxGroupChars:
		return fmt.Errorf("group: must be at most %d characters (got %d)", maxGroupChars, len(m.Group))
	case m.Delay < 0 || m.Delay > worker.MaxDelay || m.Delay%time.Second != 0:
		return fmt.Errorf("delay: must be 0..%v in whole seconds (got %v)", worker.MaxDelay, m.Delay)
	}
	if i, ok := foreign(m.Body); ok {
		return fmt.Errorf("body: SQS takes only XML characters in UTF-8, without most control characters (byte %d is another)", i)
	}
	for i := range len(m.Group) {
		if c := m.Group[i]; c <= ' ' || c > '~' {
			return fmt.Errorf("group: must be ASCII letters, digits and punctuation (byte %d is %#x)", i, c)
		}
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

func checkReceive(limit int, wait time.Duration) error {
	if limit < 1 || limit > worker.MaxBatch {
		return fmt.Errorf("limit: must be 1..%d (got %d)", worker.MaxBatch, limit)
	}
	if wait < 0 || wait > worker.MaxWait {
		return fmt.Errorf("wait: must be 0..%v (got %v)", worker.MaxWait, wait)
	}
	return nil
}

func checkVisibility(v time.Duration) error {
	if v < 0 || v > worker.MaxVisibility {
		return fmt.Errorf("visibility: must be 0..%v (got %v)", worker.MaxVisibility, v)
	}
	return nil
}

// seconds rounds up: SQS knows whole seconds only.
func seconds(d time.Duration) int32 {
	return int32((d + time.Second - 1) / time.Second) //nolint:gosec // at most 12 hours
}
