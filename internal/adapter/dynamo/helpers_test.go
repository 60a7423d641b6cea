package dynamo

import (
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

func idempotencyRecord() idempotency.Record {
	return idempotency.Record{Tenant: "tenant", Key: "key", Holder: "h", LeaseUntil: at().Add(time.Minute), ExpiresAt: at().Add(time.Hour)}
}

func second[T any](_ T, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }

// answers are what FCM says to n accepted sends.
func answers(n int, from time.Time) []ledger.Attempt {
	out := make([]ledger.Attempt, n)
	x := uint64(88172645463325252)
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		when := from.Add(time.Duration(i) * 3 * time.Millisecond).Truncate(time.Millisecond)
		// As in "0:1500415314455276%31bd1c9631bd1c96": microseconds, then eight digits
		// that vary and eight of the app
		// (https://firebase.google.com/docs/cloud-messaging/send/v1-api).
		name := fmt.Sprintf("projects/my-project/messages/0:%d%%%08xf9fd7ecd", when.UnixMicro()+int64(x%1000), uint32(x))
		out[i] = ledger.Attempt{
			Cell: i, Attempt: 1, Code: push.CodeSent, At: when, Latency: time.Duration(40+x%30) * time.Millisecond, Detail: name,
		}
	}
	return out
}
