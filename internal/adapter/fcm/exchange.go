package fcm

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/proxy"
)

// badSkew is a difference between clocks that no delay of the network explains.
const badSkew = 30 * time.Second

// exchangeRecord keeps the cause of a broken connection and the clock of the answer of one fetch
// from the token endpoint: the OAuth library keeps neither. It serves one fetch at a time.
type exchangeRecord struct {
	next http.RoundTripper

	mu       sync.Mutex
	host     string
	err      error         // of the way there
	timedOut bool          // the request had no time left: err, a deadline or a cancelled request, is chance
	skew     time.Duration // by how much this machine's clock is ahead
}

// RoundTrip implements [http.RoundTripper].
func (w *exchangeRecord) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	end, limited := r.Context().Deadline() // of the client's time-out
	w.host, w.err, w.skew, w.timedOut = r.URL.Host, err, 0, limited && !time.Now().Before(end)
	if err == nil {
		if at, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
			w.skew = time.Since(at)
		}
	}
	return resp, err
}

// explain returns why no token came, and names the source of the error.
func (w *exchangeRecord) explain(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		if _, unnamed := errors.AsType[*net.DNSError](w.err); w.timedOut && !unnamed {
			return fmt.Errorf("%s did not answer in time", w.host)
		}
		return fmt.Errorf("%s: %w", describeFailure(w.host, w.err), w.err)
	}
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || answer.Response == nil {
		return err
	}
	said := struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}{answer.ErrorCode, answer.ErrorDescription}
	_ = json.Unmarshal(answer.Body, &said) // a page of HTML says nothing more than its status
	text := strings.TrimSpace(fmt.Sprintf("the token endpoint (%s) said %d %s", w.host, answer.Response.StatusCode, said.Code))
	if said.Description != "" {
		text += ": " + said.Description
	}
	if w.skew.Abs() >= badSkew {
		text += fmt.Sprintf("; this machine's clock is %v %s", w.skew.Abs().Round(time.Second), ahead(w.skew))
	}
	switch answer.Response.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden: // invalid_grant and the like
		return &refusedError{text}
	}
	return errors.New(text)
}

// refusedError is what the token endpoint says of a credential that it does not take.
type refusedError struct{ text string }

// Error implements error.
func (e *refusedError) Error() string { return e.text }

func ahead(skew time.Duration) string {
	if skew > 0 {
		return "ahead of its"
	}
	return "behind its"
}

// describeFailure describes what kept a request from reaching the host: DNS, TLS, a proxy or the
// network.
func describeFailure(host string, err error) string {
	if e, ok := errors.AsType[*proxy.Error](err); ok {
		return "the way to " + host + " leads through " + e.Proxy
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return "the way to " + host + " leads through a proxy (HTTPS_PROXY, HTTP_PROXY), which this machine could not reach"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "DNS said, about " + host
	}
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	if authority || name || invalid {
		return "this machine's own check of " + host + "'s certificate said"
	}
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	if record || alert {
		return "the TLS handshake with " + host + " failed"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && !op.Timeout() {
		return "this machine could not connect to " + host
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return host + " did not answer in time"
	}
	return "the connection to " + host + " broke"
}
