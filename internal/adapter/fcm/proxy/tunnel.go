package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer bounds what a proxy may say before the tunnel is open, in bytes.
const maxAnswer = 64 << 10

// Tunnel opens connections through one proxy. It is safe for concurrent use.
type Tunnel struct {
	proxy *url.URL
	addr  string
	auth  string      // of Proxy-Authorization, empty for none
	tls   *tls.Config // nil: the proxy is spoken to in the clear
}

// NewTunnel returns the tunnel of a proxy as [FromEnvironment] chooses it. Trust
// says whom an https:// proxy's certificate must be from, as tls.Config does; nil
// is Go's default.
func NewTunnel(proxy *url.URL, trust *tls.Config) *Tunnel {
	port := proxy.Port()
	switch {
	case port != "":
	case proxy.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	t := &Tunnel{proxy: proxy, addr: net.JoinHostPort(proxy.Hostname(), port)}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		t.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)) // RFC 7617
	}
	if proxy.Scheme == "https" {
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if trust != nil {
			t.tls = trust.Clone()
		}
		t.tls.ServerName, t.tls.NextProtos = proxy.Hostname(), []string{"http/1.1"}
	}
	return t
}

// DialContext connects to an address through the proxy, until ctx ends. The
// error is an [*Error].
func (t *Tunnel) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := t.open(ctx, network, addr)
	if err != nil {
		if _, ok := errors.AsType[*Error](err); ok {
			return nil, err
		}
		return nil, &Error{Proxy: Name(t.proxy), Err: err}
	}
	return conn, nil
}

func (t *Tunnel) open(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, network, t.addr)
	if err != nil {
		return nil, err
	}
	unwatch := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	conn, err := t.connect(ctx, raw, addr)
	if !unwatch() && ctx.Err() != nil {
		err = ctx.Err() // it has broken the connection by now, whatever came of it
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

// connect asks the proxy for a connection to an address.
func (t *Tunnel) connect(ctx context.Context, conn net.Conn, addr string) (net.Conn, error) {
	if t.tls != nil {
		encrypted := tls.Client(conn, t.tls)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS handshake: %w", err)
		}
		conn = encrypted
	}
	ask := (&http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}).WithContext(ctx)
	if t.auth != "" {
		ask.Header.Set("Proxy-Authorization", t.auth)
	}
	if err := ask.Write(conn); err != nil {
		return nil, fmt.Errorf("write CONNECT: %w", err)
	}
	in := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	answer, err := http.ReadResponse(in, ask) //nolint:bodyclose // of CONNECT there is none; that of a refusal ends with the connection
	if err != nil {
		return nil, fmt.Errorf("read the answer to CONNECT: %w", err)
	}
	if err := Check(t.proxy, addr, answer); err != nil {
		return nil, err
	}
	if in.Buffered() > 0 { // TLS and HTTP/2 begin with the client
		return nil, errors.New("it said more than its answer to CONNECT")
	}
	return conn, nil
}
