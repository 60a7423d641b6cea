package fcm

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// noNameError returns the error for an answer of 2xx that does not name a message: the page of a
// proxy, an empty answer, or an error document that lost its status on the way. It is ambiguous:
// FCM may have accepted the message.
func noNameError(status int, retryAfter string, body, request []byte, now time.Time) *push.Error {
	a, readable := parseAnswer(body)
	e := &push.Error{Code: push.CodeFCMNoName, RetryAfter: a.retryDelay}
	if after, ok := parseRetryAfter(retryAfter, now); ok {
		e.RetryAfter = after
	}
	words := "no message name"
	switch said := foreignText(body); {
	case a.message != "":
		words += ": " + a.message
	case !readable && said != "":
		words += ": " + said
	}
	if a.errorCode != "" { // it differs from the outcome's code
		a.others = append([]string{"FCM " + a.errorCode}, a.others...)
	}
	e.Detail = withoutSecrets(a.evidence(status, words), request)
	return e
}

// quietAfter is how long all answers must have names before the incident is over. It keeps a fault
// that comes and goes from being logged with every request.
const quietAfter = time.Minute

// noNameLog logs when answers without a message name begin and when they have ended. [Metrics]
// counts each of them.
type noNameLog struct {
	log *zap.Logger
	now func() time.Time

	raised atomic.Bool // lets good answers go without the lock

	mu   sync.Mutex
	last time.Time
	n    int // answers since it was raised
}

func (a *noNameLog) unnamed(e *push.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = a.now()
	a.n++
	if a.raised.Swap(true) {
		return
	}
	a.log.Error("what answers as FCM accepts requests without naming a message; they count as ambiguous, not as sent: is there a proxy?",
		zap.Stringer("code", e.Code), zap.String("evidence", e.Detail))
}

// named notes an answer with a message name.
func (a *noNameLog) named() {
	if !a.raised.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.raised.Load() || a.now().Sub(a.last) < quietAfter {
		return
	}
	a.raised.Store(false)
	a.log.Info("FCM names the messages that it accepts again", zap.Int("answers_without_name", a.n))
	a.n = 0
}
