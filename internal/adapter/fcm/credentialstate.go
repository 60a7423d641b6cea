package fcm

import (
	"errors"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/push"
)

// credentialState records whether there is an access token and whether FCM accepts it. It logs
// every change once. It is safe for concurrent use.
type credentialState struct {
	log     *zap.Logger
	gauge   prometheus.Gauge // nil: none
	failing prometheus.Gauge // counts this one while it does not work; nil: none

	told func(refusal string) // see [Identity.Told]; nil: nobody

	refused atomic.Bool // FCM refuses the token
	calm    atomic.Bool // FCM took one, and nothing was refused since; asked by every send

	mu      sync.Mutex
	err     error // why it does not work; nil when it does
	waiting bool  // the present token works, its renewal does not
	known   bool  // there was a first answer
	bad     bool  // told was told last that it is refused
	ended   bool  // its sender was closed
	good    bool  // told was told last that it is taken
}

func newCredentialState(log *zap.Logger, gauge prometheus.Gauge) *credentialState {
	return &credentialState{log: log, gauge: gauge}
}

// check returns nil unless the credential is known to fail.
func (s *credentialState) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return errors.New("no access token yet: the first is being fetched")
	}
	return s.err
}

// refusal returns why the credential is refused, nil if it is not.
func (s *credentialState) refusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.bad {
		return nil
	}
	if s.err == nil {
		return errors.New("the credential is refused")
	}
	return s.err
}

// notNeeded notes that no access token is needed.
func (s *credentialState) notNeeded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(nil)
}

// received notes an access token and when it expires; the zero time means never.
func (s *credentialState) received(expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused.Load() { // FCM has not accepted the new token yet
		s.known = true
		return
	}
	if !s.known || s.err != nil || s.waiting {
		s.log.Info("FCM access token received", zap.Time("expires", expires))
	}
	s.settle(nil)
	s.waiting = false
}

// fetchFailed notes that no token could be fetched and that none is left.
func (s *credentialState) fetchFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known || s.err == nil || withoutSkew(s.err) != withoutSkew(err) {
		s.log.Error("no FCM access token: nothing can be sent", zap.Error(err))
	}
	s.settle(err)
	s.waiting = false
}

// clockOff matches how far a clock is off, which differs from answer to answer.
var clockOff = regexp.MustCompile(`clock is \S+`)

// withoutSkew returns the text of an error without the part that differs from one attempt to the
// next.
func withoutSkew(err error) string { return clockOff.ReplaceAllString(err.Error(), "clock is off") }

// renewalFailed notes that the next token could not be fetched ahead of time.
func (s *credentialState) renewalFailed(err error, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting {
		s.log.Warn("FCM access token could not be renewed; the present one is still valid", zap.Time("expires", expires), zap.Error(err))
	}
	s.waiting = true
}

// rejected notes that FCM refuses a token that was fetched.
func (s *credentialState) rejected(err error) {
	if s.refused.Swap(true) {
		return
	}
	s.calm.Store(false)
	s.mu.Lock()
	s.log.Error("FCM refuses the credential: nothing can be sent", zap.Error(err))
	s.settle(err)
	s.mu.Unlock()
	s.tell(err)
}

// accepted notes that FCM took the token.
func (s *credentialState) accepted() {
	if s.calm.Load() || s.calm.Swap(true) {
		return
	}
	if s.refused.CompareAndSwap(true, false) {
		s.mu.Lock()
		s.log.Info("FCM takes the credential again")
		s.settle(nil)
		s.mu.Unlock()
	}
	s.tell(nil)
}

// tell tells what Google says of the credential, each change once; nil: it takes it.
func (s *credentialState) tell(refusal error) {
	s.mu.Lock()
	bad := refusal != nil
	same := bad && s.bad || !bad && s.good
	s.bad, s.good = bad, !bad
	s.mu.Unlock()
	if same || s.told == nil {
		return
	}
	text := ""
	if bad {
		s.calm.Store(false) // the next that is taken ends it
		text = refusal.Error()
		if e, ok := errors.AsType[*push.Error](refusal); ok && e.Detail != "" {
			text = e.Detail
		}
	}
	s.told(text)
}

// end takes the credential out of the count of those that fail.
func (s *credentialState) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing != nil && s.err != nil && !s.ended {
		s.failing.Dec()
	}
	s.ended = true
}

// settle sets the error and the gauge. The caller holds mu.
func (s *credentialState) settle(err error) {
	if s.failing != nil && !s.ended && (s.err != nil) != (err != nil) {
		if err != nil {
			s.failing.Inc()
		} else {
			s.failing.Dec()
		}
	}
	s.known, s.err = true, err
	if s.gauge == nil {
		return
	}
	if err == nil {
		s.gauge.Set(1)
	} else {
		s.gauge.Set(0)
	}
}
