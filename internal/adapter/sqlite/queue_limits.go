package sqlite

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/belfry-push/belfry/internal/worker"
)

// maxGroupChars is SQS's limit of a MessageGroupId.
const maxGroupChars = 128

// checkBatch refuses a call as a whole.
func checkBatch(n int) error {
	if n > worker.MaxBatch {
		return fmt.Errorf("batch: must be at most %d messages (got %d)", worker.MaxBatch, n)
	}
	return nil
}

// checkOutgoing refuses a batch as a whole because of its size, or single
// messages of it.
func checkOutgoing(msgs []worker.Outgoing) (map[int]error, error) {
	if err := checkBatch(len(msgs)); err != nil {
		return nil, err
	}
	failed := map[int]error{}
	total := 0
	for i, m := range msgs {
		if err := checkMessage(m); err != nil {
			failed[i] = err
			continue
		}
		total += len(m.Body)
	}
	if total > worker.MaxBodyBytes {
		return nil, fmt.Errorf("batch: bodies must be at most %d bytes together (got %d)", worker.MaxBodyBytes, total)
	}
	return failed, nil
}

func checkMessage(m worker.Outgoing) error {
	switch {
	case len(m.Body) == 0:
		return errors.New("body: must not be empty")
	case len(m.Body) > worker.MaxBodyBytes:
		return fmt.Errorf("body: must be at most %d bytes (got %d)", worker.MaxBodyBytes, len(m.Body))
	case utf8.RuneCountInString(m.Group) > maxGroupChars:
		return fmt.Errorf("group: must be at most %d characters (got %d)", maxGroupChars, utf8.RuneCountInString(m.Group))
	case m.Delay < 0 || m.Delay > worker.MaxDelay || m.Delay%time.Second != 0:
		return fmt.Errorf("delay: must be 0..%v in whole seconds (got %v)", worker.MaxDelay, m.Delay)
	}
	return nil
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

// batchError is nil when nothing failed.
func batchError(failed map[int]error) error {
	if len(failed) == 0 {
		return nil
	}
	return &worker.BatchError{Failed: failed}
}
