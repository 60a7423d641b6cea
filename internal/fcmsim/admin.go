package fcmsim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/fcmsim/sendapi"
)

// routes are all paths but that of the send endpoint.
func (s *Sim) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("POST /token", s.oauth)
	mux.HandleFunc("GET /_sim/stats", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Stats())
	})
	mux.HandleFunc("GET /_sim/accepted", s.serveAccepted)
	mux.HandleFunc("POST /_sim/outage", admin(func(in outageInput) error {
		o, err := in.outage()
		if err != nil {
			return err
		}
		return s.Outage(o)
	}))
	mux.HandleFunc("POST /_sim/substitute", admin(func(in substituteInput) error {
		with, err := in.substitute()
		if err != nil {
			return err
		}
		return s.Substitute(with)
	}))
	mux.HandleFunc("POST /_sim/refusal", admin(func(in refusalInput) error { return s.Refuse(Refusal(in)) }))
	mux.HandleFunc("POST /_sim/latency", admin(func(in latencyInput) error { return s.SetLatency(in.latency()) }))
	mux.HandleFunc("POST /_sim/quota", admin(func(in quotaInput) error {
		if in.PerMinute == nil {
			return errors.New("per_minute: required")
		}
		return s.SetQuota(*in.PerMinute)
	}))
	mux.HandleFunc("POST /_sim/goaway", admin(func(struct{}) error {
		s.GoAway()
		return nil
	}))
	mux.HandleFunc("POST /_sim/revoke", admin(func(struct{}) error {
		s.RevokeTokens()
		return nil
	}))
	mux.HandleFunc("POST /_sim/reset", admin(func(struct{}) error {
		s.Reset()
		return nil
	}))
	mux.HandleFunc("/", serveNotFound)
	return mux
}

// outageInput is the body of POST /_sim/outage.
type outageInput struct {
	Status     *int     `json:"status"`
	RetryAfter string   `json:"retry_after"`
	Seconds    float64  `json:"seconds"`
	Share      *float64 `json:"share"` // absent: all requests
}

// maxOutage keeps seconds within what a Duration holds.
const maxOutage = 365 * 24 * time.Hour

func (in outageInput) outage() (Outage, error) {
	o := Outage{RetryAfter: in.RetryAfter, Share: 1}
	if in.Share != nil {
		o.Share = *in.Share
	}
	switch {
	case in.Status != nil:
		o.Status = *in.Status
	case o.Share != 0:
		return Outage{}, errors.New("status: required (503, 500, 429, 401, 403, or 0 to refuse connections)")
	}
	var err error
	o.For, err = lasting(in.Seconds)
	return o, err
}

// lasting returns so many seconds as a Duration.
func lasting(seconds float64) (time.Duration, error) {
	if seconds > maxOutage.Seconds() {
		return 0, fmt.Errorf("seconds: must be at most %v (got %v)", maxOutage.Seconds(), seconds)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// substituteInput is the body of POST /_sim/substitute.
type substituteInput struct {
	Status      int      `json:"status"`
	Body        string   `json:"body"`
	ContentType string   `json:"content_type"`
	Gzip        bool     `json:"gzip"`
	Record      bool     `json:"record"`
	Seconds     float64  `json:"seconds"`
	Share       *float64 `json:"share"` // absent: all requests
}

func (in substituteInput) substitute() (Substitute, error) {
	with := Substitute{Status: in.Status, Body: in.Body, ContentType: in.ContentType, Gzip: in.Gzip, Record: in.Record, Share: 1}
	if in.Share != nil {
		with.Share = *in.Share
	}
	var err error
	with.For, err = lasting(in.Seconds)
	return with, err
}

// refusalInput is the body of POST /_sim/refusal.
type refusalInput struct {
	Platform string `json:"platform"`
	As       string `json:"as"`
}

// latencyInput is the body of POST /_sim/latency.
type latencyInput struct {
	MedianMS float64 `json:"median_ms"`
	Sigma    float64 `json:"sigma"`
}

func (in latencyInput) latency() Latency {
	median := min(in.MedianMS*float64(time.Millisecond), float64(sendapi.MaxLatency)+1) // out of range stays out of range
	return Latency{Median: time.Duration(median), Sigma: in.Sigma}
}

// quotaInput is the body of POST /_sim/quota.
type quotaInput struct {
	PerMinute *int `json:"per_minute"` // 0: no limit
}

// admin wraps an operation of the admin side: it reads its input strictly and answers 204, or 400 or 415 with the reason.
func admin[In any](do func(In) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && !sendapi.IsJSON(r.Header.Get("Content-Type")) {
			writeError(w, http.StatusUnsupportedMediaType, "INVALID_ARGUMENT", "Content-Type: must be application/json")
			return
		}
		var in In
		err := readStrict(http.MaxBytesReader(w, r.Body, sendapi.MaxBody), &in)
		if err == nil {
			err = do(in)
		}
		if err != nil {
			writeError(w, http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// readStrict decodes one JSON value and refuses unknown fields and trailing data. No body at all is an empty input.
func readStrict(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("body: more than one JSON value")
	}
	return nil
}

// serveAccepted streams the accepted messages that are kept, one JSON object a line, without bodies if ?body=false. The header
// says how many older ones were dropped.
func (s *Sim) serveAccepted(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	withBody, prefix := query.Get("body") != "false", query.Get("token")
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Sim-Dropped", strconv.FormatUint(s.Stats().Dropped, 10))
	out := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	for accepted := range s.sends.Accepted(withBody) {
		if !strings.HasPrefix(accepted.Token, prefix) {
			continue
		}
		if lines.Encode(accepted) != nil {
			return // the client went away
		}
	}
	_ = out.Flush()
}

// serveNotFound answers as Google's front end does: in HTML, which clients must survive.
func serveNotFound(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, "<!DOCTYPE html>\n<title>Error 404 (Not Found)</title>\n<p>The requested URL was not found.\n")
}

// writeError writes an error as Google's HTTP APIs do (https://google.aip.dev/193).
func writeError(w http.ResponseWriter, code int, status, message string) {
	type body struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	writeJSON(w, code, map[string]body{"error": {Code: code, Message: message, Status: status}})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil { // the values are structs of strings, numbers and maps of them
		panic(fmt.Errorf("fcmsim: encode an answer: %w", err))
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away is not the simulator's problem
}
