package fcm

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/adapter/fcm/proxy/proxytest"
	"github.com/belfry-push/belfry/internal/push"
)

// TestSendThroughAProxy: HTTP/2 over TLS within a tunnel, which may be TLS itself.
func TestSendThroughAProxy(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, client string) {
		t.Helper()
		for _, secure := range []bool{false, true} {
			cfg := fakeFCM(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"name":"projects/p/messages/1"}`))
			})
			at, err := url.Parse(cfg.Endpoint)
			if err != nil {
				t.Fatal(err)
			}
			user := url.UserPassword("me", "sesame")
			p := proxytest.Start(t, secure, user, at.Host)
			cfg.Endpoint = "https://example.com:8443/v1" // httptest's certificate is for that name
			cfg.HTTP = client
			cfg.proxies = func(*url.URL) (*url.URL, error) { return p.URL, nil }
			core, logs := observer.New(zap.DebugLevel)
			s, err := New(t.Context(), cfg, zap.New(core), NewMetrics(prometheus.NewRegistry()))
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if _, err := s.Send(t.Context(), []byte(`{"message":{"token":"t"}}`)); err != nil {
					t.Errorf("TLS to the proxy %t: %v", secure, err)
				}
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if asked := p.Asked(); len(asked) != 1 || asked[0] != "example.com:8443" {
				t.Errorf("tunnels %q", asked)
			}
			said := logs.FilterMessage("FCM is reached through a proxy").All()
			if len(said) != 1 || said[0].ContextMap()["proxy"] != p.URL.Scheme+"://"+p.URL.Host {
				t.Errorf("logged %v", logs.All())
			}
		}
	})
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, client string) {
		t.Helper()
		p := proxytest.Start(t, false, url.UserPassword("me", "sesame"), "127.0.0.1:1")
		through := *p.URL
		through.User = url.UserPassword("me", "tahini")
		cfg := Config{Endpoint: "https://fcm.example/v1", Project: "belfry-test", Connections: 1, HTTP: client}
		cfg.proxies = func(*url.URL) (*url.URL, error) { return &through, nil }
		s, _ := newSender(t, cfg)
		_, err := s.Send(t.Context(), []byte(`{}`))
		if push.CodeOf(err) != push.CodeNetRefused ||
			!strings.Contains(err.Error(), "answered CONNECT fcm.example:443 with 407 Proxy Authentication Required") {
			t.Errorf("got %v", err)
		}
		if err != nil && strings.Contains(err.Error(), "tahini") {
			t.Errorf("%v shows the password", err)
		}
	})
}

// TestProxyFromTheEnvironment: a proxy that is none is refused at start, for whom
// it is meant; simulators on this machine are reached straight.
func TestProxyFromTheEnvironment(t *testing.T) {
	t.Setenv("https_proxy", "socks5://me:sesame@proxy.corp:1080")
	t.Setenv("no_proxy", "")
	t.Setenv("NO_PROXY", "")
	_, err := New(t.Context(), Config{Project: "p-1"}, zap.NewNop(), NewMetrics(prometheus.NewRegistry()))
	if err == nil || !strings.Contains(err.Error(), "HTTPS_PROXY: must be an http:// or https:// URL") ||
		strings.Contains(err.Error(), "sesame") {
		t.Errorf("got %v", err)
	}
	s, _ := newSender(t, fakeFCM(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"name":"projects/p/messages/1"}`))
	}))
	if _, err := s.Send(t.Context(), []byte(`{}`)); err != nil {
		t.Errorf("a simulator: %v", err)
	}
}

// TestTokensThroughAProxy: the token endpoint is reached as FCM is.
func TestTokensThroughAProxy(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "for " + r.Host, "expires_in": 3600, "token_type": "Bearer"})
	}))
	t.Cleanup(endpoint.Close)
	p := proxytest.Start(t, false, url.UserPassword("me", "sesame"), endpoint.Listener.Addr().String())
	wrong := *p.URL
	wrong.User = url.UserPassword("me", "tahini")
	t.Setenv("no_proxy", "")
	t.Setenv("NO_PROXY", "")
	t.Setenv("http_proxy", p.URL.String())
	t.Setenv("https_proxy", wrong.String())
	tokenOf := func(uri string) (string, error) {
		file := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(file, []byte(keyFile(t, map[string]string{"token_uri": uri})), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Credentials(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		token, err := c.Tokens.Token()
		if err != nil {
			return "", err
		}
		return token.AccessToken, nil
	}
	_, err := tokenOf("https://oauth.example/token")
	if err == nil || !strings.Contains(err.Error(), "oauth.example") || !strings.Contains(err.Error(), "407 Proxy Authentication Required") ||
		strings.Contains(err.Error(), "tahini") {
		t.Errorf("refused: %v", err)
	}
	if token, err := tokenOf(endpoint.URL + "/token"); err != nil || token != "for "+endpoint.Listener.Addr().String() {
		t.Errorf("on this machine: %q, %v", token, err)
	}
	if asked := p.Asked(); len(asked) != 1 || asked[0] != "oauth.example:443" {
		t.Errorf("asked the proxy for %q", asked)
	}
}
