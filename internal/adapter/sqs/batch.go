package sqs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// Entries of a batch call are numbered by their position in the caller's batch.
func entryID(i int) *string { return aws.String(strconv.Itoa(i)) }

// ids collects the ids of the entries that succeeded.
func ids[E any](entries []E, id func(*E) *string) []*string {
	all := make([]*string, len(entries))
	for i := range entries {
		all[i] = id(&entries[i])
	}
	return all
}

// outcome sorts the answer to a batch call of entries with these positions: it
// adds what failed, and what SQS did not answer for, to failed. accepted are the
// ids of the entries that succeeded.
func (q *Queue) outcome(failed map[int]error, sent []int, accepted []*string, refused []types.BatchResultErrorEntry) {
	open := make(map[string]int, len(sent))
	for _, i := range sent {
		open[strconv.Itoa(i)] = i
	}
	for i := range refused {
		r := &refused[i]
		if at, ok := open[aws.ToString(r.Id)]; ok {
			failed[at] = q.refusal(r)
			delete(open, aws.ToString(r.Id))
		}
	}
	for _, id := range accepted {
		delete(open, aws.ToString(id))
	}
	for _, at := range open {
		failed[at] = push.WithOutage(push.OutageDown, fmt.Errorf("%s: no answer for this message", q.what))
	}
}

// refusal is why SQS refused one entry. A receipt that is not (or no longer)
// valid is push.ErrNotFound.
func (q *Queue) refusal(r *types.BatchResultErrorEntry) error {
	code, message := aws.ToString(r.Code), aws.ToString(r.Message)
	err := awsconf.Code(code, message, q.what)
	if badReceipt(code, message) {
		return fmt.Errorf("%w: %w", push.ErrNotFound, err)
	}
	return err
}

// badReceipt reports whether an entry was refused for its receipt. A message that
// is gone or in nobody's hands is refused as an invalid value of the parameter
// ReceiptHandle
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html).
func badReceipt(code, message string) bool {
	switch strings.TrimPrefix(code, "AWS.SimpleQueueService.") {
	case "ReceiptHandleIsInvalid", "MessageNotInflight":
		return true
	case "InvalidParameterValue":
		return strings.Contains(message, "ReceiptHandle")
	default:
		return false
	}
}

// received splits a batch into the messages that have a receipt and an error
// for each other one: SQS would refuse the whole call for an empty receipt.
func received(msgs []worker.Message) (with []int, failed map[int]error) {
	failed = map[int]error{}
	for i := range msgs {
		if msgs[i].Receipt == "" {
			failed[i] = errNoReceipt
			continue
		}
		with = append(with, i)
	}
	return with, failed
}

var errNoReceipt = fmt.Errorf("%w: %w", push.ErrNotFound, errors.New("the message has no receipt"))
