package sqs

import "time"

// seconds rounds up: SQS knows whole seconds only.
func seconds(d time.Duration) int32 {
	return int32((d + time.Second - 1) / time.Second) //nolint:gosec // at most 12 hours
}
