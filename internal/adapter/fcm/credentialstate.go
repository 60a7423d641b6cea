package fcm

import (
	"errors"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// credentialState records whether there is an access token and whether FCM accepts it. It logs
// every change once. It is safe for concurrent use.
type credentialState struct {
	log   *zap.Logger
	gauge prometheus.Gauge // nil: none

	refused atomic.Bool // FCM refuses the token; asked by every send

	mu      sync.Mutex
	err     error // why it does not work; nil when it does
	waiting bool  // the present token works, its renewal does not
	known   bool  // there was a first answer
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
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Error("FCM refuses the credential: nothing can be sent", zap.Error(err))
	s.settle(err)
}

// accepted notes that FCM took the token.
func (s *credentialState) accepted() {
	if !s.refused.Load() || !s.refused.CompareAndSwap(true, false) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Info("FCM takes the credential again")
	s.settle(nil)
}

// settle sets the error and the gauge. The caller holds mu.
func (s *credentialState) settle(err error) {
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
