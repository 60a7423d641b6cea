package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/belfry-push/belfry/client"
)

const signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

// What the client signs, the library of the standard's authors takes; a repeat has another id.
func TestSigning(t *testing.T) {
	t.Parallel()
	oracle, err := standardwebhooks.NewWebhook(signingSecret)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	seen := map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := oracle.Verify(body, r.Header); err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		if id := r.Header.Get("Webhook-Id"); seen[id] || r.Header.Get("Belfry-Key-Id") != "0123456789ab" || r.Header.Get("Authorization") != "" {
			t.Errorf("headers %v", r.Header)
		} else {
			seen[id] = true
		}
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	defer srv.Close()
	s, err := client.NewSigner("0123456789ab", signingSecret)
	if err != nil {
		t.Fatal(err)
	}
	retry := client.Retry{Attempts: 3, Base: time.Millisecond, Max: time.Second}
	c, err := client.New(srv.URL, "", client.WithSigning(s), client.WithRetry(retry))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutDevice(t.Context(), "dev_1", client.Device{Token: "t"}); err != nil {
		t.Error(err)
	}
	if _, err := c.Device(t.Context(), "dev_1"); err != nil {
		t.Error(err)
	}
	if calls.Load() != 3 {
		t.Errorf("%d calls, want 3", calls.Load())
	}
	if _, err := c.ImportDevices(t.Context(), strings.NewReader("{}\n")); err == nil || !strings.Contains(err.Error(), "can't be signed") {
		t.Errorf("a stream: %v", err)
	}
}

func TestSignerRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string][2]string{
		"no key": {"", signingSecret}, "no secret": {"k", ""}, "no prefix": {"k", strings.TrimPrefix(signingSecret, "whsec_")},
		"short": {"k", "whsec_c2hvcnQ="}, "no base64": {"k", "whsec_%%%"},
	} {
		if _, err := client.NewSigner(c[0], c[1]); err == nil || c[1] != "" && strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
