// Package h2test is the other end of package h2 in tests: an HTTP/2 server
// driven frame by frame, so that it can do what a real one does rarely or must
// not do at all, and a lean server with a set latency for benchmarks.
package h2test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Conn is the server's end of one connection. Its methods are for one goroutine.
type Conn struct {
	*http2.Framer
	net.Conn

	dec    *hpack.Decoder
	enc    *hpack.Encoder
	encBuf bytes.Buffer
	fields map[string]string
	open   map[uint32]*Request
}

// Request is what the client sent on one stream.
type Request struct {
	ID     uint32
	Header map[string]string
	Body   []byte
	// Block is how many bytes of HEADERS payload it took.
	Block int
}

// NewConn wraps the server's end of a connection.
func NewConn(nc net.Conn) *Conn {
	c := &Conn{Framer: http2.NewFramer(nc, nc), Conn: nc, open: make(map[uint32]*Request)}
	c.enc = hpack.NewEncoder(&c.encBuf)
	c.dec = hpack.NewDecoder(4096, func(f hpack.HeaderField) { c.fields[f.Name] = f.Value })
	return c
}

// Handshake reads the client's preface with its two frames, SETTINGS and
// WINDOW_UPDATE, and then sends SETTINGS, so that it also works over a pipe
// that buffers nothing.
func (c *Conn) Handshake(settings ...http2.Setting) error {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.Conn, preface); err != nil {
		return fmt.Errorf("read the preface: %w", err)
	}
	if string(preface) != http2.ClientPreface {
		return fmt.Errorf("preface is %q", preface)
	}
	for range 2 {
		if _, err := c.ReadFrame(); err != nil {
			return fmt.Errorf("read the frames of the preface: %w", err)
		}
	}
	if err := c.WriteSettings(settings...); err != nil {
		return err
	}
	return c.WriteSettingsAck()
}

// Next reads frames until one is of interest: a request that is complete comes
// back as such, RST_STREAM, GOAWAY, PING acknowledgements and WINDOW_UPDATE of
// streams come back as frames. SETTINGS and pings are answered on the way.
func (c *Conn) Next() (*Request, http2.Frame, error) {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return nil, nil, err
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = c.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if f.IsAck() {
				return nil, f, nil
			}
			err = c.WritePing(true, f.Data)
		case *http2.HeadersFrame:
			r := &Request{ID: f.StreamID, Header: make(map[string]string), Block: len(f.HeaderBlockFragment())}
			c.fields = r.Header
			c.open[r.ID] = r
			_, err = c.dec.Write(f.HeaderBlockFragment())
			if f.StreamEnded() {
				delete(c.open, r.ID)
				return r, nil, err
			}
		case *http2.ContinuationFrame:
			_, err = c.dec.Write(f.HeaderBlockFragment())
		case *http2.DataFrame:
			if r := c.open[f.StreamID]; r != nil {
				r.Body = append(r.Body, f.Data()...)
				if f.StreamEnded() {
					delete(c.open, r.ID)
					return r, nil, nil
				}
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return nil, f, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// ReadRequest reads on to the next complete request.
func (c *Conn) ReadRequest() (*Request, error) {
	for {
		if r, _, err := c.Next(); r != nil || err != nil {
			return r, err
		}
	}
}

// Block encodes a header block; fields come in pairs.
func (c *Conn) Block(status int, fields ...string) []byte {
	c.encBuf.Reset()
	_ = c.enc.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(status)})
	for i := 0; i+1 < len(fields); i += 2 {
		_ = c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return c.encBuf.Bytes()
}

// Respond writes a whole response: HEADERS and one DATA frame.
func (c *Conn) Respond(id uint32, status int, body string, fields ...string) error {
	err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.Block(status, fields...), EndHeaders: true})
	if err != nil {
		return err
	}
	return c.WriteData(id, true, []byte(body))
}

// Serve calls handle for every connection that ln accepts, and closes the
// connection when it returns. It returns when ln is closed.
func Serve(ln net.Listener, handle func(c *Conn)) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = nc.Close() }()
			handle(NewConn(nc))
		}()
	}
}
