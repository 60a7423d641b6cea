package fcmsim_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"firebase.google.com/go/v4/messaging"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/option"

	"github.com/belfry-push/belfry/internal/fcmsim"
	"github.com/belfry-push/belfry/internal/fcmsim/fcmsimtest"
)

// unretried renames 503 to 599, which the official client does not send again: by itself it would send five times
// within seven seconds.
type unretried struct{ base http.RoundTripper }

func (u unretried) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := u.base.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusServiceUnavailable {
		resp.StatusCode = 599
	}
	return resp, err
}

// officialClient is the official Firebase client, authenticated with the simulator's service account.
func officialClient(t *testing.T, sim *fcmsim.Sim, wrap func(http.RoundTripper) http.RoundTripper) *messaging.Client {
	t.Helper()
	plain := fcmsimtest.Client(t)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, plain)
	conf, err := google.JWTConfigFromJSON(sim.ServiceAccountJSON(), "https://www.googleapis.com/auth/firebase.messaging")
	if err != nil {
		t.Fatal(err)
	}
	base := http.RoundTripper(&oauth2.Transport{Source: conf.TokenSource(ctx), Base: plain.Transport})
	if wrap != nil {
		base = wrap(base)
	}
	return newOfficialClient(t, option.WithHTTPClient(&http.Client{Transport: base}), option.WithEndpoint(sim.URL()))
}

// newOfficialClient calls messaging.NewClient, whose configuration type is internal to the module: the public way leads
// through the module's root package, which links Firestore, Cloud Storage and gRPC for nothing.
func newOfficialClient(t *testing.T, opts ...option.ClientOption) *messaging.Client {
	t.Helper()
	newClient := reflect.ValueOf(messaging.NewClient)
	conf := reflect.New(newClient.Type().In(1).Elem())
	conf.Elem().FieldByName("ProjectID").SetString("belfry-sandbox")
	conf.Elem().FieldByName("Version").SetString("4.21.0")
	conf.Elem().FieldByName("Opts").Set(reflect.ValueOf(opts))
	out := newClient.Call([]reflect.Value{reflect.ValueOf(t.Context()), conf})
	if err, failed := reflect.TypeAssert[error](out[1]); failed {
		t.Fatal(err)
	}
	client, ok := reflect.TypeAssert[*messaging.Client](out[0])
	if !ok {
		t.Fatal("messaging.NewClient returned something else")
	}
	return client
}

// toDevice addresses a message by registration token, which the client deprecates but devices still have.
func toDevice(token string) *messaging.Message {
	return &messaging.Message{Token: token} //nolint:staticcheck // see above
}

func TestOfficialClientSends(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{RequireAuth: true})
	client := officialClient(t, sim, nil)
	badge, ttl, when, count := 3, 90*time.Second, time.Now(), 7

	for name, m := range map[string]*messaging.Message{
		"token":     toDevice("token-1"),
		"fid":       {Fid: "fid-1", Notification: &messaging.Notification{Title: "T", Body: "B"}},
		"topic":     {Topic: "/topics/news", Notification: &messaging.Notification{Title: "T"}},
		"condition": {Condition: "'a' in topics && ('b' in topics || !('c' in topics))"},
		"every field": {
			Fid:          "fid-2",
			Data:         map[string]string{"k": "v"},
			Notification: &messaging.Notification{Title: "T", Body: "B", ImageURL: "https://example.com/i.png"},
			FCMOptions:   &messaging.FCMOptions{AnalyticsLabel: "spring_sale"},
			Android: &messaging.AndroidConfig{
				CollapseKey: "c", Priority: "high", TTL: &ttl, RestrictedPackageName: "com.example",
				Data: map[string]string{"k": "v"}, DirectBootOK: true, BandwidthConstrainedOK: true,
				RestrictedSatelliteOK: true, FCMOptions: &messaging.AndroidFCMOptions{AnalyticsLabel: "a"},
				Notification: &messaging.AndroidNotification{
					Title: "T", Body: "B", Icon: "i", Color: "#a1b2c3", Sound: "s", Tag: "t", ClickAction: "c",
					BodyLocKey: "k", BodyLocArgs: []string{"1"}, TitleLocKey: "k", TitleLocArgs: []string{"1"},
					ChannelID: "c", ImageURL: "https://example.com/i.png", Ticker: "t", Sticky: true, EventTimestamp: &when,
					LocalOnly: true, Priority: messaging.PriorityMax, VibrateTimingMillis: []int64{100, 50},
					DefaultVibrateTimings: true, DefaultSound: true, DefaultLightSettings: true,
					LightSettings: &messaging.LightSettings{
						Color: "#a1b2c3", LightOnDurationMillis: 100, LightOffDurationMillis: 20,
					},
					Visibility: messaging.VisibilitySecret, NotificationCount: &count, Proxy: messaging.ProxyDeny,
				},
			},
			Webpush: &messaging.WebpushConfig{
				Headers: map[string]string{"TTL": "15", "Urgency": "high", "Topic": "abc"},
				Data:    map[string]string{"k": "v"}, FCMOptions: &messaging.WebpushFCMOptions{Link: "https://example.com"},
				Notification: &messaging.WebpushNotification{
					Title: "T", Tag: "t", Vibrate: []int{1, 2}, CustomData: map[string]any{"x": map[string]any{"y": 1}},
				},
			},
			APNS: &messaging.APNSConfig{
				Headers:           map[string]string{"apns-priority": "10", "apns-collapse-id": "c", "apns-expiration": "0"},
				FCMOptions:        &messaging.APNSFCMOptions{AnalyticsLabel: "a", ImageURL: "https://example.com/i.png"},
				LiveActivityToken: "l",
				Payload: &messaging.APNSPayload{
					Aps: &messaging.Aps{
						Badge: &badge, Alert: &messaging.ApsAlert{Title: "T"}, ContentAvailable: true, CustomData: map[string]any{"event": "update"},
					},
					CustomData: map[string]any{"k": []any{1, true, nil, "x"}},
				},
			},
		},
	} {
		got, err := client.Send(t.Context(), m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.HasPrefix(got, "projects/belfry-sandbox/messages/0:") {
			t.Errorf("%s: name %q", name, got)
		}
		dry, err := client.SendDryRun(t.Context(), m)
		if err != nil || dry != "projects/belfry-sandbox/messages/fake_message_id" {
			t.Errorf("%s: dry run: %q, %v", name, dry, err)
		}
	}
	st := sim.Stats()
	if st.Accepted != 5 || st.ByCode["OK"] != 5 || st.ByCode["VALIDATED"] != 5 || st.UniqueTokens != 3 || st.Requests != 10 {
		t.Errorf("stats %+v", st)
	}
}

func TestOfficialClientRecognizesErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		token  string
		is     func(error) bool
		code   string
		passes bool // the next try is accepted
	}{
		{"unregistered", "sim-unregistered-1", messaging.IsUnregistered, "UNREGISTERED", false},
		{"invalid", "sim-invalid-1", messaging.IsInvalidArgument, "INVALID_ARGUMENT", false},
		{"mismatch", "sim-mismatch-1", messaging.IsSenderIDMismatch, "SENDER_ID_MISMATCH", false},
		{"auth", "sim-auth-1", messaging.IsThirdPartyAuthError, "THIRD_PARTY_AUTH_ERROR", false},
		{"quota", "sim-quota-1-x", messaging.IsQuotaExceeded, "QUOTA_EXCEEDED", true},
		{"unavailable", "sim-unavailable-1-x", messaging.IsUnavailable, "UNAVAILABLE", true},
		{"internal", "sim-internal-1-x", messaging.IsInternal, "INTERNAL", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sim := fcmsimtest.Start(t, fcmsim.Config{})
			client := officialClient(t, sim, func(rt http.RoundTripper) http.RoundTripper { return unretried{rt} })
			for _, m := range []*messaging.Message{toDevice(tc.token), {Fid: "sim-" + tc.token[4:] + "-fid"}} {
				if _, err := client.Send(t.Context(), m); !tc.is(err) {
					t.Errorf("not recognized: %v", err)
				}
				_, err := client.Send(t.Context(), m)
				if tc.passes && err != nil {
					t.Errorf("the second try: %v", err)
				}
				if !tc.passes && !tc.is(err) {
					t.Errorf("the second try is not recognized: %v", err)
				}
			}
			want := uint64(4)
			if tc.passes {
				want = 2
			}
			if st := sim.Stats(); st.ByCode[tc.code] != want || st.Accepted != 4-want {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

// TestOfficialClientSendsAgain shows what a sender has to know of the official client: it sends again by itself.
func TestOfficialClientSendsAgain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, token string
		accepted    uint64
	}{
		{"after 503", "sim-unavailable-1-x", 1},
		{"after a cut stream, which doubles the message", "sim-drop-1-x", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sim := fcmsimtest.Start(t, fcmsim.Config{RetryAfter: -1})
			if _, err := officialClient(t, sim, nil).Send(t.Context(), toDevice(tc.token)); err != nil {
				t.Fatal(err)
			}
			st := sim.Stats()
			if st.Requests != 2 || st.Accepted != tc.accepted || st.Duplicates != tc.accepted-1 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

func TestOfficialClientWithServiceAccountFileOverTLS(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{RequireAuth: true, ListenTLS: "127.0.0.1:0"})
	conf, err := google.JWTConfigFromJSON(sim.ServiceAccountJSON(), "https://www.googleapis.com/auth/firebase.messaging")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: tlsTrusting(sim), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, fcmsimtest.Client(t))
	client := newOfficialClient(t,
		option.WithHTTPClient(&http.Client{Transport: &oauth2.Transport{Source: conf.TokenSource(ctx), Base: transport}}),
		option.WithEndpoint(sim.URLTLS()))
	if _, err := client.Send(t.Context(), toDevice("t")); err != nil {
		t.Fatal(err)
	}
}

// TestOfficialClientCredentialsFile uses the file as users do: the client library finds the token endpoint in it.
func TestOfficialClientCredentialsFile(t *testing.T) {
	t.Parallel()
	sim := fcmsimtest.Start(t, fcmsim.Config{RequireAuth: true})
	client := newOfficialClient(t, option.WithAuthCredentialsJSON(option.ServiceAccount, sim.ServiceAccountJSON()),
		option.WithScopes("https://www.googleapis.com/auth/firebase.messaging"), option.WithEndpoint(sim.URL()))
	if _, err := client.Send(t.Context(), toDevice("t")); err != nil {
		t.Fatal(err)
	}
	if st := sim.Stats(); st.Accepted != 1 || st.ByCode["UNAUTHENTICATED"] != 0 {
		t.Errorf("stats %+v", st)
	}
}
