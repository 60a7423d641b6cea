package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/adapter/fcm/proxy"
	"github.com/belfry-push/belfry/internal/adapter/fcm/proxy/proxytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFromEnvironment(t *testing.T) {
	for _, tc := range []struct {
		name            string
		https, no, ask  string
		want, complaint string
	}{
		{name: "none", ask: "https://fcm.googleapis.com"},
		{"set", "http://proxy.corp:3128", "", "https://fcm.googleapis.com", "http://proxy.corp:3128", ""},
		{"with user", "http://me:secret@proxy.corp:3128/", "", "https://fcm.googleapis.com", "http://proxy.corp:3128", ""},
		{"over TLS", "https://proxy.corp", "", "https://fcm.googleapis.com", "https://proxy.corp", ""},
		{"without a scheme", "me:secret@proxy.corp:3128", "", "https://fcm.googleapis.com", "http://proxy.corp:3128", ""},
		{"left out by name", "http://proxy.corp:3128", "example.com,.googleapis.com", "https://fcm.googleapis.com", "", ""},
		{"left out by network", "http://proxy.corp:3128", "10.0.0.0/8", "https://10.1.2.3:8443", "", ""},
		{"everything left out", "http://proxy.corp:3128", "*", "https://fcm.googleapis.com", "", ""},
		{"loopback", "http://proxy.corp:3128", "", "https://127.0.0.1:8090/v1", "", ""},
		{"localhost", "http://proxy.corp:3128", "", "https://localhost:8090/v1", "", ""},
		{"loopback of IPv6", "http://proxy.corp:3128", "", "https://[::1]:8090/v1", "", ""},
		{"SOCKS", "socks5://me:secret@proxy.corp:1080", "", "https://fcm.googleapis.com", "", "HTTPS_PROXY: must be an http:// or https:// URL"},
		{"no URL", "http://me:secret@proxy.corp:31 28", "", "https://fcm.googleapis.com", "", "HTTPS_PROXY: must be an http:// or https:// URL"},
		{"no host", "http://me:secret@", "", "https://fcm.googleapis.com", "", "HTTPS_PROXY: must be an http:// or https:// URL"},
		{"no URL, but nobody needs it", "http://me:secret@proxy.corp:31 28", "", "https://127.0.0.1:1", "", ""},
		{"of the other scheme", "http://proxy.corp:3128", "", "http://fcm.example", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, value := range map[string]string{
				"HTTPS_PROXY": tc.https, "NO_PROXY": tc.no, "HTTP_PROXY": "", "https_proxy": "", "http_proxy": "", "no_proxy": "",
			} {
				t.Setenv(name, value)
			}
			ask, err := url.Parse(tc.ask)
			if err != nil {
				t.Fatal(err)
			}
			got, err := proxy.FromEnvironment()(ask)
			if tc.complaint != "" {
				if err == nil || !strings.Contains(err.Error(), tc.complaint) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v, want an error about %q", err, tc.complaint)
				}
				return
			}
			name := ""
			if got != nil {
				name = proxy.Name(got)
			}
			if err != nil || name != tc.want {
				t.Errorf("got %q, %v, want %q", name, err, tc.want)
			}
		})
	}
}

// echo is a server that says back what it hears.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	return ln.Addr().String()
}

func TestTunnel(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for _, user := range []*url.Userinfo{nil, url.UserPassword("me", "s3:c/ret"), url.User("me")} {
			p := proxytest.Start(t, secure, user, echo(t))
			conn, err := proxy.NewTunnel(p.URL, p.Trust).DialContext(t.Context(), "tcp", "fcm.googleapis.com:443")
			if err != nil {
				t.Fatalf("TLS %t, user %v: %v", secure, user, err)
			}
			if _, err := io.WriteString(conn, "hello"); err != nil {
				t.Error(err)
			}
			got := make([]byte, 5)
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
				t.Errorf("got %q, %v", got, err)
			}
			_ = conn.Close()
			if asked := p.Asked(); len(asked) != 1 || asked[0] != "fcm.googleapis.com:443" {
				t.Errorf("asked for %q", asked)
			}
		}
	}
}

func TestTunnelRefused(t *testing.T) {
	t.Parallel()
	to := echo(t)
	asks := proxytest.Start(t, false, url.UserPassword("me", "secret"), to)
	anonymous, wrong := *asks.URL, *asks.URL
	anonymous.User, wrong.User = nil, url.UserPassword("me", "geheim")
	secure := proxytest.Start(t, true, nil, to)
	nowhere := proxytest.Start(t, false, nil, "127.0.0.1:1")
	closed := &url.URL{Scheme: "http", Host: "127.0.0.1:1", User: url.UserPassword("me", "secret")}
	for _, tc := range []struct {
		name  string
		proxy *url.URL
		want  string
	}{
		{
			"no user", &anonymous,
			"it answered CONNECT fcm.googleapis.com:443 with 407 Proxy Authentication Required: put user and password into its URL",
		},
		{"wrong password", &wrong, "407 Proxy Authentication Required: it does not take the user and password in its URL"},
		{"cannot get there", nowhere.URL, "it answered CONNECT fcm.googleapis.com:443 with 502 Bad Gateway"},
		{"certificate", secure.URL, "TLS handshake"},
		{"no proxy", &url.URL{Scheme: "http", Host: garbage(t, "SSH-2.0-OpenSSH_9.6\r\n")}, "read the answer to CONNECT"},
		{"talks too much", &url.URL{Scheme: "http", Host: garbage(t, "HTTP/1.1 200 OK\r\n\r\nwelcome")}, "more than its answer"},
		{"nobody listens", closed, "connection refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := proxy.NewTunnel(tc.proxy, nil).DialContext(t.Context(), "tcp", "fcm.googleapis.com:443")
			e, ok := errors.AsType[*proxy.Error](err)
			if !ok || !strings.Contains(err.Error(), tc.want) || e.Proxy != proxy.Name(tc.proxy) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			for _, secret := range []string{"secret", "geheim", "c2VjcmV0"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%v shows a secret", err)
				}
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := proxy.NewTunnel(&url.URL{Scheme: "http", Host: garbage(t, "")}, nil).DialContext(ctx, "tcp", "fcm.googleapis.com:443")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ctx's end", err)
		}
	})
}

// garbage listens and answers everybody with a text, until the other side ends.
func garbage(t *testing.T, text string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.WriteString(c, text)
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}()
		}
	}()
	return ln.Addr().String()
}
