package fcm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

const sendPath = "/v1/projects/belfry-test/messages:send"

func static(token string) oauth2.TokenSource {
	return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})
}

// both runs a test with each client of HTTP/2.
func both(t *testing.T, run func(t *testing.T, client string)) {
	t.Helper()
	for _, client := range []string{OwnHTTP, NetHTTP} {
		t.Run(client, func(t *testing.T) { t.Parallel(); run(t, client) })
	}
}

func senderOn(t *testing.T, client string, cfg Config) (*Sender, *prometheus.Registry) {
	t.Helper()
	cfg.HTTP = client
	return newSender(t, cfg)
}

// count reads one sample of a registry; label is the code, or "".
func count(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if label != "" && m.GetLabel()[0].GetValue() != label {
				continue
			}
			switch {
			case m.GetCounter() != nil:
				return m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				return m.GetGauge().GetValue()
			default:
				return float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	t.Fatalf("no metric %s{%s}", name, label)
	return 0
}

func TestSend(t *testing.T) {
	t.Parallel()
	both(t, testSend)
}

func testSend(t *testing.T, client string) {
	t.Helper()
	var requests sync.Map
	cfg := fakeFCM(t, func(w http.ResponseWriter, r *http.Request) {
		var sent struct {
			Message struct {
				Token string `json:"token"`
			} `json:"message"`
		}
		if err := json.Unmarshal(readAll(t, r.Body), &sent); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Path != sendPath || r.ProtoMajor != 2 ||
			r.Header.Get("Authorization") != "Bearer the-access-token" ||
			r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "belfry" {
			t.Errorf("%s %s %s %v", r.Proto, r.Method, r.URL.Path, r.Header)
		}
		if _, twice := requests.LoadOrStore(sent.Message.Token, true); twice {
			t.Errorf("%s was sent twice", sent.Message.Token)
		}
		_, _ = fmt.Fprintf(w, "{\n  \"name\": \"projects/belfry-test/messages/%s\"\n}\n", sent.Message.Token)
	})
	cfg.TokenSource = static("the-access-token")
	cfg.Connections = 4
	s, reg := senderOn(t, client, cfg)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			token := fmt.Sprintf("token-%d", i)
			name, err := s.Send(t.Context(), requestFor(t, `{"data":{"a":"b"}}`, push.KindToken, token))
			if err != nil || name != "projects/belfry-test/messages/"+token {
				t.Errorf("name %q, %v", name, err)
			}
		})
	}
	wg.Wait()
	for name, want := range map[string]float64{
		"belfry_fcm_answer_seconds": 100, "belfry_fcm_connections": 4, "belfry_fcm_in_flight_requests": 0,
	} {
		if got := count(t, reg, name, ""); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := count(t, reg, "belfry_fcm_requests_total", "sent"); got != 100 {
		t.Errorf("%v sent, want 100", got)
	}
}

// TestSendOnce answers every documented error over the wire: one request each,
// the code, the wait, and no token in the words.
func TestSendOnce(t *testing.T) {
	t.Parallel()
	both(t, testSendOnce)
}

func testSendOnce(t *testing.T, client string) {
	t.Helper()
	token := "dQw4w9WgXcQ:APA91b" + strings.Repeat("x_Y-9", 25)
	for _, tc := range answers {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			cfg := fakeFCM(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				body := readAll(t, r.Body)
				w.Header().Set("Retry-After", "17")
				w.WriteHeader(tc.status)
				// An answer that echoes what it was sent.
				_, _ = w.Write([]byte(strings.Replace(tc.body, `"message":"`, `"message":"`+token+` `, 1)))
				_ = body
			})
			s, reg := senderOn(t, client, cfg)
			name, err := s.Send(t.Context(), []byte(`{"message":{"token":"`+token+`"}}`))
			e := asError(t, err)
			if name != "" || e.Code != tc.want || e.RetryAfter != 17*time.Second {
				t.Errorf("name %q, %v, wait %v; want %v and 17s", name, err, e.RetryAfter, tc.want)
			}
			if strings.Contains(err.Error(), token[:30]) || !strings.Contains(e.Detail, "HTTP") {
				t.Errorf("words: %v", err)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			if got := count(t, reg, "belfry_fcm_requests_total", tc.want.String()); got != 1 {
				t.Errorf("counted %v times", got)
			}
		})
	}
}

// TestSendWithANewToken refuses the access token in use: the same request goes out
// again at once with the next one, and everybody's with the same.
func TestSendWithANewToken(t *testing.T) {
	t.Parallel()
	both(t, testSendWithANewToken)
}

func testSendWithANewToken(t *testing.T, client string) {
	t.Helper()
	var valid, refused, accepted, fetches atomic.Int32
	cfg := fakeFCM(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", valid.Load()) {
			refused.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		accepted.Add(1)
		_, _ = w.Write([]byte(`{"name":"projects/p/messages/1"}`))
	})
	cfg.TokenSource = tokenFunc(func() (*oauth2.Token, error) {
		return &oauth2.Token{AccessToken: fmt.Sprintf("token-%d", fetches.Add(1)), Expiry: time.Now().Add(time.Hour)}, nil
	})
	s, reg := senderOn(t, client, cfg)
	send := func() error { _, err := s.Send(t.Context(), []byte(`{"message":{}}`)); return err }
	valid.Store(2) // the very first one is not good
	if err := send(); err != nil {
		t.Fatalf("the first: %v", err)
	}
	valid.Store(3) // revoked
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := send(); err != nil {
				t.Errorf("after the revocation: %v", err)
			}
		})
	}
	wg.Wait()
	if a, f := accepted.Load(), fetches.Load(); a != 51 || f != 3 || refused.Load() > 51 {
		t.Errorf("%d accepted, %d refused, %d fetches; want 51, at most 51, and 3", a, refused.Load(), f)
	}
	if got := count(t, reg, "belfry_fcm_requests_total", "fcm.unauthorized"); got != float64(refused.Load()) {
		t.Errorf("counted %v refusals", got)
	}

	valid.Store(-1) // none is good any more
	before := refused.Load()
	if err := send(); push.CodeOf(err) != push.CodeFCMUnauthorized || refused.Load() != before+2 {
		t.Errorf("refused for good: %v after %d requests, want fcm.unauthorized after 2", err, refused.Load()-before)
	}
	if err := send(); push.CodeOf(err) != push.CodeFCMUnauthorized || fetches.Load() > 5 {
		t.Errorf("and again: %v, %d fetches", err, fetches.Load())
	}
}

func TestSendFailures(t *testing.T) {
	t.Parallel()
	both(t, testSendFailures)
}

func testSendFailures(t *testing.T, client string) {
	t.Helper()
	// Nobody listens on the first port; one that was free a moment ago may be another test's.
	const nobody = "127.0.0.1:1"
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		s, reg := senderOn(t, client, Config{Endpoint: "http://" + nobody + "/v1", Project: "belfry-test"})
		_, err := s.Send(t.Context(), []byte(`{}`))
		if push.CodeOf(err) != push.CodeNetRefused || s.Connections() != 0 {
			t.Errorf("got %v with %d connections", err, s.Connections())
		}
		if got := count(t, reg, "belfry_fcm_requests_total", "net.refused"); got != 1 {
			t.Errorf("counted %v times", got)
		}
	})
	t.Run("no access token", func(t *testing.T) {
		t.Parallel()
		cfg := fakeFCM(t, func(http.ResponseWriter, *http.Request) { t.Error("sent without a token") })
		cfg.TokenSource = tokenFunc(func() (*oauth2.Token, error) { return nil, errors.New(strings.Repeat("no ", 500)) })
		s, _ := senderOn(t, client, cfg)
		_, err := s.Send(t.Context(), []byte(`{}`))
		if e := asError(t, err); e.Code != push.CodeCredential || len(e.Error()) > 400 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ctx ended before", func(t *testing.T) {
		t.Parallel()
		s, reg := senderOn(t, client, fakeFCM(t, func(http.ResponseWriter, *http.Request) { t.Error("sent after the end") }))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Send(ctx, []byte(`{}`))
		if !errors.Is(err, context.Canceled) || errors.As(err, new(*push.Error)) {
			t.Errorf("got %v, want ctx's own error", err)
		}
		if got := count(t, reg, "belfry_fcm_requests_total", "net.timeout"); got != 0 {
			t.Errorf("counted %v requests", got)
		}
	})
	t.Run("ctx ends on the way", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		s, _ := senderOn(t, client, fakeFCM(t, func(_ http.ResponseWriter, r *http.Request) {
			readAll(t, r.Body) // before it has all of it, FCM takes nothing
			cancel()
			<-r.Context().Done()
		}))
		_, err := s.Send(ctx, []byte(`{}`))
		if push.CodeOf(err) != push.CodeNetTimeout || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want net.timeout because of ctx", err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		s, _ := senderOn(t, client, fakeFCM(t, func(http.ResponseWriter, *http.Request) { t.Error("sent after Close") }))
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send(t.Context(), []byte(`{}`)); push.CodeOf(err) != push.CodeNetRefused {
			t.Errorf("got %v", err)
		}
	})
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	both(t, testDryRun)
}

func testDryRun(t *testing.T, client string) {
	t.Helper()
	cfg := fakeFCM(t, func(w http.ResponseWriter, r *http.Request) {
		tree, err := message.Decode(readAll(t, r.Body))
		if err != nil || tree["validate_only"] != true {
			t.Errorf("request %v, %v", tree, err)
		}
		if m, ok := tree["message"].(map[string]any); !ok || m["topic"] != "t" {
			t.Errorf("message %v", tree["message"])
		}
		w.WriteHeader(http.StatusForbidden)
	})
	s, _ := senderOn(t, client, cfg)
	err := s.DryRun(t.Context(), templateOf(t, `{"data":{"a":"b"}}`), push.Address{Kind: push.KindTopic, Value: "t"})
	if push.CodeOf(err) != push.CodeFCMForbidden {
		t.Errorf("got %v", err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cfg  Config
		want string // of the error; "" = accepted with the target below
		to   target
	}{
		{
			"FCM itself",
			Config{Project: "my-app-1"},
			"",
			target{"https", "fcm.googleapis.com", "/v1/projects/my-app-1/messages:send", "fcm.googleapis.com:443"},
		},
		{
			"simulator",
			Config{Project: "p-1", Endpoint: "http://127.0.0.1:8090/v1/", Timeout: time.Second},
			"",
			target{"http", "127.0.0.1:8090", "/v1/projects/p-1/messages:send", "127.0.0.1:8090"},
		},
		{"IPv6", Config{Project: "p-1", Endpoint: "http://[::1]/v1"}, "", target{"http", "[::1]", "/v1/projects/p-1/messages:send", "[::1]:80"}},
		{
			"old project with a domain",
			Config{Project: "example.com:my-app"},
			"",
			target{"https", "fcm.googleapis.com", "/v1/projects/example.com:my-app/messages:send", "fcm.googleapis.com:443"},
		},
		{"project missing", Config{}, "project", target{}},
		{"project with a path", Config{Project: "a/../b"}, "project", target{}},
		{"time-out too short for FCM", Config{Project: "p-1", Timeout: 5 * time.Second}, "timeout: must be at least 10s", target{}},
		{"scheme", Config{Project: "p-1", Endpoint: "ftp://x/v1"}, "scheme", target{}},
		{"no host", Config{Project: "p-1", Endpoint: "fcm.googleapis.com"}, "endpoint", target{}},
		{"query", Config{Project: "p-1", Endpoint: "https://x/v1?key=1"}, "endpoint", target{}},
		{"unreadable", Config{Project: "p-1", Endpoint: "http://[::1"}, "endpoint", target{}},
		{"user agent", Config{Project: "p-1", UserAgent: "a\nb"}, "user agent", target{}},
		{"HTTP client", Config{Project: "p-1", HTTP: "http3"}, "HTTP client: must be own or nethttp", target{}},
		{"connections of net/http", Config{Project: "p-1", HTTP: NetHTTP, Connections: 5000}, "connections", target{}},
		{"connections", Config{Project: "p-1", Connections: 5000}, "connections", target{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.want != "" {
				_, err := New(t.Context(), tc.cfg, zap.NewNop(), NewMetrics(prometheus.NewRegistry()))
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want an error about %q", err, tc.want)
				}
				return
			}
			if got, err := tc.cfg.setDefaults(); err != nil || got.of(tc.cfg.Project) != tc.to {
				t.Errorf("got %+v, %v; want %+v", got.of(tc.cfg.Project), err, tc.to)
			}
		})
	}
}
