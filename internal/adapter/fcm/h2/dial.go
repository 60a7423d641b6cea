package h2

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// readBuffer is the size of a connection's read buffer: some hundred answers.
const readBuffer = 16 << 10

// dial connects, shakes hands and exchanges SETTINGS, all within DialTimeout.
// The error is an [*transport.Error] of kind Refused, DNS or TLS.
func (cl *Client) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, cl.cfg.DialTimeout)
	defer cancel()
	raw, err := cl.cfg.Dial(ctx, "tcp", cl.cfg.Addr)
	if err != nil {
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			return nil, &transport.Error{Kind: transport.DNS, Err: err}
		}
		return nil, &transport.Error{Kind: transport.Refused, Err: err}
	}
	// One context bounds every step, and Close ends them at once.
	unwatch := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	c, err := cl.shakeHands(ctx, raw)
	if !unwatch() && err == nil {
		err = &transport.Error{Kind: transport.Refused, Err: ctx.Err()}
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

func (cl *Client) shakeHands(ctx context.Context, raw net.Conn) (*conn, error) {
	in := newGathering(raw)
	var nc net.Conn = in
	if cl.cfg.TLS != nil {
		t, err := cl.startTLS(ctx, in)
		if err != nil {
			return nil, err
		}
		nc = t
	}
	c := newConn(cl, nc, in, bufio.NewReaderSize(nc, readBuffer))
	c.writePreface()
	if _, err := nc.Write(c.out.b); err != nil {
		return nil, &transport.Error{Kind: transport.Refused, Err: fmt.Errorf("write the connection preface: %w", err)}
	}
	c.out.b = c.out.b[:0]
	// Requests could go out at once (§3.4), but only the peer's SETTINGS show
	// that it speaks HTTP/2, and how many requests it takes.
	f, err := c.rd.ReadFrame()
	if err != nil {
		return nil, &transport.Error{Kind: transport.Refused, Err: fmt.Errorf("read the peer's SETTINGS: %w", err)}
	}
	settings, ok := f.(*http2.SettingsFrame)
	if !ok || settings.IsAck() {
		return nil, &transport.Error{Kind: transport.Refused, Err: fmt.Errorf("the first frame is %v, not SETTINGS", f.Header().Type)}
	}
	if err := c.onSettings(settings); err != nil {
		return nil, &transport.Error{Kind: transport.Refused, Err: fmt.Errorf("apply the peer's SETTINGS: %w", err)}
	}
	return c, nil
}

func (cl *Client) startTLS(ctx context.Context, raw net.Conn) (*tls.Conn, error) {
	cfg := cl.cfg.TLS.Clone()
	cfg.NextProtos = []string{http2.NextProtoTLS}
	// Small first records help browsers; here they would cost a write each.
	cfg.DynamicRecordSizingDisabled = true
	if cfg.MinVersion < tls.VersionTLS12 {
		cfg.MinVersion = tls.VersionTLS12 // §9.2
	}
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(cl.cfg.Addr)
		if err != nil {
			return nil, &transport.Error{Kind: transport.TLS, Err: err}
		}
		cfg.ServerName = host
	}
	t := tls.Client(raw, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		if cutShort(err) {
			return nil, &transport.Error{Kind: transport.Refused, Err: fmt.Errorf("TLS handshake: %w", err)}
		}
		return nil, &transport.Error{Kind: transport.TLS, Err: err}
	}
	if got := t.ConnectionState().NegotiatedProtocol; got != http2.NextProtoTLS {
		return nil, &transport.Error{Kind: transport.TLS, Err: fmt.Errorf("the peer does not offer HTTP/2 (ALPN %q)", got)}
	}
	return t, nil
}

// cutShort reports whether a handshake failed because the peer went away, which
// says nothing about TLS.
func cutShort(err error) bool {
	var timeout net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
