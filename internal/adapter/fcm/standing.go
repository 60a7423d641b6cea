package fcm

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// standing is how the credential stands: whether there is an access token, and
// whether FCM takes it. Every change is logged, once. Safe for concurrent use.
type standing struct {
	log   *zap.Logger
	gauge prometheus.Gauge // nil: none

	refused atomic.Bool // FCM refuses the token; asked by every send

	mu      sync.Mutex
	err     error // why it does not work; nil when it does
	waiting bool  // the present token works, its renewal does not
	known   bool  // there was a first answer
}

func newStanding(log *zap.Logger, gauge prometheus.Gauge) *standing {
	return &standing{log: log, gauge: gauge}
}

// check is nil while FCM takes the credential, as far as is known.
func (s *standing) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return errors.New("no access token yet: the first is being fetched")
	}
	return s.err
}

// none notes that no access token is needed.
func (s *standing) none() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(nil)
}

// got notes an access token, and until when it is good; zero for ever.
func (s *standing) got(expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused.Load() { // a new token: FCM's own word has to come first
		s.known = true
		return
	}
	if !s.known || s.err != nil || s.waiting {
		s.log.Info("FCM access token received", zap.Time("expires", expires))
	}
	s.settle(nil)
	s.waiting = false
}

// failed notes that no token could be fetched, and none is left.
func (s *standing) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known || s.err == nil || s.err.Error() != err.Error() {
		s.log.Error("no FCM access token: nothing can be sent", zap.Error(err))
	}
	s.settle(err)
	s.waiting = false
}

// late notes that the next token could not be fetched ahead of time.
func (s *standing) late(err error, expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting {
		s.log.Warn("FCM access token could not be renewed; the present one is still valid", zap.Time("expires", expires), zap.Error(err))
	}
	s.waiting = true
}

// refuse notes that FCM refuses a token that was fetched.
func (s *standing) refuse(err error) {
	if s.refused.Swap(true) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Error("FCM refuses the credential: nothing can be sent", zap.Error(err))
	s.settle(err)
}

// took notes that FCM took the token.
func (s *standing) took() {
	if !s.refused.Load() || !s.refused.CompareAndSwap(true, false) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Info("FCM takes the credential again")
	s.settle(nil)
}

// settle runs under mu.
func (s *standing) settle(err error) {
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
