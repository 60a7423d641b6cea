package fcm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
	"github.com/belfry-push/belfry/internal/push"
)

// both runs a test with each client of HTTP/2.
func both(t *testing.T, run func(t *testing.T, client string)) {
	t.Helper()
	for _, client := range []string{fcm.OwnHTTP, fcm.NetHTTP} {
		t.Run(client, func(t *testing.T) { t.Parallel(); run(t, client) })
	}
}

// TestSimulator sends to every script of the simulator: what it does on the
// wire and what the sender calls it must agree.
func TestSimulator(t *testing.T) {
	t.Parallel()
	both(t, testSimulator)
}

func testSimulator(t *testing.T, client string) {
	t.Helper()
	sim := fcmsimtest.Start(t, fcmsim.Config{Project: "joint"})
	sender, err := fcm.New(t.Context(), fcm.Config{HTTP: client, Endpoint: sim.URL(), Project: "joint", Connections: 2, Timeout: time.Second},
		zap.NewNop(), fcm.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close(context.WithoutCancel(t.Context())) })

	tests := []struct {
		token string
		codes []push.Code // of consecutive sends
	}{
		{"healthy", []push.Code{push.CodeSent}},
		{"sim-unregistered-1", []push.Code{push.CodeFCMUnregistered}},
		{"sim-invalid-1", []push.Code{push.CodeFCMInvalidArgument}},
		{"sim-mismatch-1", []push.Code{push.CodeFCMSenderIDMismatch}},
		{"sim-auth-1", []push.Code{push.CodeFCMThirdPartyAuth}},
		{"sim-quota-2-a", []push.Code{push.CodeFCMQuotaExceeded, push.CodeFCMQuotaExceeded, push.CodeSent}},
		{"sim-unavailable-1-a", []push.Code{push.CodeFCMUnavailable, push.CodeSent}},
		{"sim-internal-1-a", []push.Code{push.CodeFCMInternal, push.CodeSent}},
		{"sim-hang-1-a", []push.Code{push.CodeNetTimeout, push.CodeSent}},
		{"sim-drop-1-a", []push.Code{push.CodeNetReset, push.CodeSent}},
		{"sim-devicequota-1-a", []push.Code{push.CodeFCMDeviceQuota, push.CodeSent}},
		{"sim-credential-SERVICE_DISABLED-1", []push.Code{push.CodeFCMForbidden}},
		{"sim-credential-ACCESS_TOKEN_EXPIRED-1", []push.Code{push.CodeFCMUnauthorized}},
		{"sim-apns-410-Unregistered-1", []push.Code{push.CodeFCMUnregistered}},
		{"sim-apns-410-ExpiredToken-1", []push.Code{push.CodeFCMUnregistered}},
		{"sim-apns-400-BadDeviceToken-1", []push.Code{push.CodeAPNsBadDeviceToken}},
		{"sim-apns-400-TopicDisallowed-1", []push.Code{push.CodeAPNsTopic}},
		{"sim-apns-403-InvalidProviderToken-1", []push.Code{push.CodeFCMThirdPartyAuth}},
		{"sim-apns-413-PayloadTooLarge-1", []push.Code{push.CodePayloadTooLarge}},
		{"sim-apns-429-TooManyRequests-1", []push.Code{push.CodeFCMDeviceQuota}},
		{"sim-apns-503-Shutdown-1", []push.Code{push.CodeAPNsUnavailable}},
	}
	for _, tt := range tests {
		t.Run(tt.token, func(t *testing.T) {
			t.Parallel()
			body := []byte(`{"message":{"token":"` + tt.token + `","notification":{"title":"Hi"}}}`)
			for i, want := range tt.codes {
				name, err := sender.Send(t.Context(), body)
				if got := push.CodeOf(err); got != want {
					t.Errorf("send %d is %s (%v), want %s", i+1, got, err, want)
				}
				if e, ok := errors.AsType[*push.Error](err); ok && e.Code == push.CodeFCMQuotaExceeded && e.RetryAfter != time.Second {
					t.Errorf("send %d: Retry-After is %s, want 1s", i+1, e.RetryAfter)
				}
				if (name != "") != (want == push.CodeSent) {
					t.Errorf("send %d: name is %q", i+1, name)
				}
			}
		})
	}
}

// TestSimulatorRevokesTokens: nobody's delivery fails because an access token was
// revoked while it was in use.
func TestSimulatorRevokesTokens(t *testing.T) {
	t.Parallel()
	both(t, testSimulatorRevokesTokens)
}

func testSimulatorRevokesTokens(t *testing.T, client string) {
	t.Helper()
	sim := fcmsimtest.Start(t, fcmsim.Config{Project: "joint", RequireAuth: true})
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, sim.ServiceAccountJSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	credential, err := fcm.Credentials(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := fcm.New(t.Context(),
		fcm.Config{HTTP: client, Endpoint: sim.URL(), Project: "joint", Connections: 2, TokenSource: credential.Tokens}, zap.NewNop(),
		fcm.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close(context.WithoutCancel(t.Context())) })
	body := []byte(`{"message":{"token":"t","notification":{"title":"Hi"}}}`)
	for range 3 {
		for range 20 {
			if _, err := sender.Send(t.Context(), body); err != nil {
				t.Fatal(err)
			}
		}
		sim.RevokeTokens()
	}
	if got := sim.Stats().ByCode; got["OK"] != 60 || got["UNAUTHENTICATED"] != 2 {
		t.Errorf("answers: %v", got)
	}
}

// TestSimulatorInBetween puts somebody else in FCM's place, and lets FCM refuse
// a message as a whole.
func TestSimulatorInBetween(t *testing.T) {
	t.Parallel()
	both(t, testSimulatorInBetween)
}

func testSimulatorInBetween(t *testing.T, client string) {
	t.Helper()
	sim := fcmsimtest.Start(t, fcmsim.Config{Project: "joint"})
	sender, err := fcm.New(t.Context(), fcm.Config{HTTP: client, Endpoint: sim.URL(), Project: "joint", Connections: 1, Timeout: time.Second},
		zap.NewNop(), fcm.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close(context.WithoutCancel(t.Context())) })
	send := func(a push.Address) error {
		_, err := sender.Send(t.Context(), []byte(`{"message":{"`+string(a.Kind)+`":"`+a.Value.Reveal()+`","notification":{"title":"Hi"}}}`))
		return err
	}
	ios, topic := push.Address{Kind: push.KindToken, Value: "sim-ios-1"}, push.Address{Kind: push.KindTopic, Value: "sim-topicquota-1-a"}
	for _, body := range []string{"<html>Sign in", "", "{}", `{"error":{"code":404,"status":"NOT_FOUND"}}`} {
		for _, s := range []fcmsim.Substitute{{Status: 200}, {Status: 200, Gzip: true}, {Status: 204}, {Status: 202, Record: true}} {
			s.Body, s.Share = body, 1
			if err := sim.Substitute(s); err != nil {
				t.Fatal(err)
			}
			if err := send(ios); push.CodeOf(err) != push.CodeFCMNoName {
				t.Errorf("%d %q: %v, want fcm.no_name", s.Status, body, err)
			}
		}
	}
	if err := sim.Substitute(fcmsim.Substitute{}); err != nil {
		t.Fatal(err)
	}
	for as, want := range map[string]push.Code{
		"third_party_auth": push.CodeFCMThirdPartyAuth, "topic": push.CodeAPNsTopic, "sender_id": push.CodeFCMSenderIDMismatch,
		"too_large": push.CodePayloadTooLarge, "field": push.CodePayloadInvalid, "unspecified": push.CodeFCMInvalidUnspecified, "": push.CodeSent,
	} {
		if err := sim.Refuse(fcmsim.Refusal{Platform: "ios", As: as}); err != nil {
			t.Fatal(err)
		}
		if err := send(ios); push.CodeOf(err) != want {
			t.Errorf("%q: %v, want %s", as, err, want)
		}
	}
	if err := send(topic); push.CodeOf(err) != push.CodeFCMTopicQuota {
		t.Errorf("a topic over its quota: %v", err)
	}
}
