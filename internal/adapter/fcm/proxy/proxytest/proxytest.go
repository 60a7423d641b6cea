// Package proxytest is a small HTTP proxy for tests: it opens tunnels by CONNECT
// and passes plain requests on.
package proxytest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// Proxy is a running proxy. It is safe for concurrent use.
type Proxy struct {
	// URL leads to it, with the user and password that it asks for, if it does.
	URL *url.URL
	// Trust knows its certificate, and that of httptest's servers.
	Trust *tls.Config

	user *url.Userinfo // nil: everybody may
	to   string

	mu    sync.Mutex
	asked []string
	ends  sync.WaitGroup
}

// Start starts a proxy that leads to one address, whatever it is asked for, until
// the test ends: over TLS if secure, and for one user only if there is one.
func Start(tb testing.TB, secure bool, user *url.Userinfo, to string) *Proxy {
	tb.Helper()
	p := &Proxy{user: user, to: to}
	srv := httptest.NewUnstartedServer(p)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if secure {
		srv.StartTLS()
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		p.Trust = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	} else {
		srv.Start()
	}
	tb.Cleanup(func() { srv.Close(); p.ends.Wait() })
	at, err := url.Parse(srv.URL)
	if err != nil {
		tb.Fatal(err)
	}
	at.User, p.URL = user, at
	return p
}

// Asked returns the addresses that tunnels were asked for, and the URLs of plain
// requests.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.RequestURI)
	p.mu.Unlock()
	if p.user != nil {
		password, _ := p.user.Password()
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.user.Username()+":"+password))
		if r.Header.Get("Proxy-Authorization") != want {
			w.Header().Set("Proxy-Authenticate", `Basic realm="test"`)
			http.Error(w, "who are you?", http.StatusProxyAuthRequired)
			return
		}
	}
	if r.Method != http.MethodConnect {
		(&httputil.ReverseProxy{Rewrite: func(out *httputil.ProxyRequest) {
			out.Out.URL.Scheme, out.Out.URL.Host = "http", p.to
		}}).ServeHTTP(w, r)
		return
	}
	p.tunnel(w)
}

func (p *Proxy) tunnel(w http.ResponseWriter) {
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = there.Close()
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_, _ = here.Close(), there.Close()
		return
	}
	pass := func(to, from net.Conn, in io.Reader) {
		_, _ = io.Copy(to, in)
		_, _ = to.Close(), from.Close()
	}
	p.ends.Go(func() { pass(there, here, buffered) })
	p.ends.Go(func() { pass(here, there, there) })
}
