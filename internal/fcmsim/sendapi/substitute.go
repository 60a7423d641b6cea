package sendapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Substitute is an answer that somebody else gives in FCM's place: a proxy, a captive portal, a broken gateway.
type Substitute struct {
	// Status is the HTTP status, 200 to 599.
	Status int
	// Body is the body as it is sent, at most 64 KiB; a 204 has none.
	Body string
	// ContentType is the body's type; empty: text/html.
	ContentType string
	// Gzip compresses the body, whatever the client accepts.
	Gzip bool
	// Record passes the request on first: FCM takes the message, and its answer is lost. Otherwise FCM never sees it.
	Record bool
	// For is how long it lasts; 0 until it is switched off with share 0 or by Reset.
	For time.Duration
	// Share is the part of requests that are hit, above 0 to 1; 0 ends it.
	Share float64
}

const maxSubstitute = 64 << 10

func (s Substitute) validate() error {
	var faults []error
	if s.Share != 0 && (s.Status < http.StatusOK || s.Status > 599) {
		faults = append(faults, fmt.Errorf("status: must be 200 to 599 (got %d)", s.Status))
	}
	if len(s.Body) > maxSubstitute {
		faults = append(faults, fmt.Errorf("body: must be at most %d bytes (got %d)", maxSubstitute, len(s.Body)))
	}
	if s.For < 0 {
		faults = append(faults, fmt.Errorf("seconds: must not be negative (got %v)", s.For.Seconds()))
	}
	if !(s.Share >= 0 && s.Share <= 1) { // also refuses NaN
		faults = append(faults, fmt.Errorf("share: must be 0 to 1 (got %v)", s.Share))
	}
	return errors.Join(faults...)
}

func (s Substitute) answer() *Answer {
	a := &Answer{code: codeSubstitute, Status: s.Status, Body: []byte(s.Body), Header: http.Header{"Content-Type": {s.ContentType}}}
	if s.ContentType == "" {
		a.Header.Set("Content-Type", "text/html; charset=UTF-8")
	}
	if s.Status == http.StatusNoContent {
		a.Body, a.Header = nil, http.Header{}
	}
	if s.Gzip && len(a.Body) > 0 {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(a.Body) // a buffer never fails
		_ = w.Close()
		a.Body = packed.Bytes()
		a.Header.Set("Content-Encoding", "gzip")
	}
	return a
}

// substitute decides which requests a Substitute hits. It is safe for concurrent use.
type substitute struct {
	random *randomSource
	now    atomic.Pointer[ongoingSubstitute] // nil: FCM answers itself
}

type ongoingSubstitute struct {
	answer *Answer
	record bool
	share  float64
	until  time.Time // zero: no end
}

// set replaces the current one.
func (s *substitute) set(what Substitute, now time.Time) {
	if what.Share == 0 {
		s.now.Store(nil)
		return
	}
	on := &ongoingSubstitute{answer: what.answer(), record: what.Record, share: what.Share}
	if what.For > 0 {
		on.until = now.Add(what.For)
	}
	s.now.Store(on)
}

// strikes returns what hits a request, nil if nothing does.
func (s *substitute) strikes(now time.Time) *ongoingSubstitute {
	on := s.now.Load()
	if on == nil {
		return nil
	}
	if !on.until.IsZero() && !now.Before(on.until) {
		s.now.CompareAndSwap(on, nil)
		return nil
	}
	if on.share < 1 && s.random.share() >= on.share {
		return nil
	}
	return on
}
