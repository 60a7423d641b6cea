package fcm

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// nameless is the error for an answer of 2xx that does not name a message: a
// page of a proxy that lets nothing through, an empty answer, or an error
// document that lost its status on the way. Whether FCM took the message can't
// be told.
func nameless(status int, retryAfter string, body, request []byte, now time.Time) *push.Error {
	a, readable := parseAnswer(body)
	e := &push.Error{Code: push.CodeFCMNoName, RetryAfter: a.retryDelay}
	if after, ok := parseRetryAfter(retryAfter, now); ok {
		e.RetryAfter = after
	}
	words := "no message name"
	switch said := foreignWords(body); {
	case a.message != "":
		words += ": " + a.message
	case !readable && said != "":
		words += ": " + said
	}
	if a.errorCode != "" { // which is not what the outcome is called
		a.others = append([]string{"FCM " + a.errorCode}, a.others...)
	}
	e.Detail = withoutSecrets(a.evidence(status, words), request)
	return e
}

// quietAfter is how long answers must have had names before the alarm is over,
// so that one that comes and goes is told once and not with every request.
const quietAfter = time.Minute

// alarm tells when answers without a message name begin, and when they have
// ended. Each request that got one is counted, see [Metrics].
type alarm struct {
	log *zap.Logger
	now func() time.Time

	raised atomic.Bool // spares good answers the lock

	mu   sync.Mutex
	last time.Time
	n    int // answers since it was raised
}

func (a *alarm) seen(e *push.Error) {
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

// over notes a good answer.
func (a *alarm) over() {
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
