package lean

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/belfry-push/belfry/internal/fcmsim/sendapi"
)

const (
	// streamWindow lets a client send the largest permitted body, and more, without waiting for window updates.
	streamWindow = 2 * sendapi.MaxBody
	// connWindow is far above what fits into a connection's streams at the usual sizes.
	connWindow = 16 << 20
	// defaultWindow and defaultFrame are what counts until settings say otherwise (RFC 9113 §6.5.2, §6.9.2).
	defaultWindow = 65_535
	defaultFrame  = 16_384
	// maxUnsent is how much may wait for a client that does not read before it is given up.
	maxUnsent = 4 << 20
	// closeDelay is how long a connection stays after its last answer when it is going away, so that a request that
	// crosses the GOAWAY is not met with a reset.
	closeDelay = time.Second
)

// conn is one HTTP/2 connection. One goroutine reads it; anyone may write under mu.
type conn struct {
	server *Server
	conn   net.Conn
	state  *sendapi.Conn
	in     *bufio.Reader
	framer *http2.Framer   // reads from in; writes to out under mu
	mem    sendapi.Scratch // of the reading goroutine

	received uint32 // bytes of request bodies that the client was not credited for yet

	mu            sync.Mutex
	credit        sync.Cond // of mu: a window grew, or the connection ended
	out, spare    []byte
	writing       bool
	block         bytes.Buffer
	encoder       *hpack.Encoder
	date          string // of the second dateAt
	dateAt        int64
	streams       map[uint32]*stream
	lastID        uint32
	window        int64 // bytes of answers that the client still takes on the connection
	initialWindow int64 // likewise on a new stream
	maxFrame      int64
	leaving       bool
	final         bool // leaving because the simulator stops
	closed        bool
}

// stream is one request and its answer.
type stream struct {
	id            uint32
	method, path  string
	authority     string
	authorization string
	contentType   string
	browser       bool                // it says so: a page may have sent it
	header        []hpack.HeaderField // without pseudo-headers
	body          []byte
	ended         bool // the client said all
	dispatched    bool // somebody answers
	window        int64
	hung          bool
	timer         *time.Timer // until the answer is due; nil for none
	cancel        func()      // ends the request's context; nil for none
}

func newConn(s *Server, raw net.Conn, in io.Reader) *conn {
	c := &conn{
		server: s, conn: raw, state: sendapi.NewConn(raw), streams: make(map[uint32]*stream),
		window: defaultWindow, initialWindow: defaultWindow, maxFrame: defaultFrame,
	}
	c.credit.L = &c.mu
	c.in = bufio.NewReaderSize(flushBefore{c, in}, 64<<10)
	c.encoder = hpack.NewEncoder(&c.block)
	c.framer = http2.NewFramer(unsent{c}, c.in)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.framer.MaxHeaderListSize = 64 << 10
	c.framer.SetMaxReadFrameSize(defaultFrame)
	c.framer.SetReuseFrames()
	return c
}

// flushBefore sends what is buffered before it waits for more: answers to requests that came in one packet leave in
// one, and nothing is held back while the connection is quiet.
type flushBefore struct {
	c  *conn
	in io.Reader
}

func (f flushBefore) Read(p []byte) (int, error) {
	f.c.mu.Lock()
	f.c.flush()
	f.c.mu.Unlock()
	return f.in.Read(p)
}

// run reads frames until the connection ends.
func (c *conn) run() {
	defer c.close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.in, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	c.mu.Lock()
	_ = c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: c.server.maxStreams},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow})
	_ = c.framer.WriteWindowUpdate(0, connWindow-defaultWindow)
	c.mu.Unlock()
	for {
		f, err := c.framer.ReadFrame()
		if err == nil {
			err = c.handle(f)
		}
		if bad, ok := errors.AsType[http2.StreamError](err); ok {
			c.reset(bad.StreamID, bad.Code)
			continue
		}
		if bad, ok := errors.AsType[http2.ConnectionError](err); ok {
			c.mu.Lock()
			_ = c.framer.WriteGoAway(c.lastID, http2.ErrCode(bad), nil)
			c.flush()
			c.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// handle handles one frame. It returns an http2.StreamError or http2.ConnectionError for the client's faults, and any
// other error to end the connection.
func (c *conn) handle(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return c.handleHeaders(f)
	case *http2.DataFrame:
		return c.handleData(f)
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol) // only servers push
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f := f.(type) {
	case *http2.SettingsFrame:
		return c.handleSettings(f)
	case *http2.WindowUpdateFrame:
		return c.handleWindowUpdate(f)
	case *http2.RSTStreamFrame:
		c.dropStream(c.streams[f.StreamID])
	case *http2.PingFrame:
		if !f.IsAck() {
			_ = c.framer.WritePing(true, f.Data)
		}
	}
	return nil // priorities, the client's own GOAWAY and unknown frames need no answer
}

func (c *conn) handleHeaders(f *http2.MetaHeadersFrame) error {
	c.mu.Lock()
	st := c.streams[f.StreamID]
	switch {
	case st != nil && !st.dispatched && f.StreamEnded(): // trailers
		c.mu.Unlock()
		st.ended = true
		return c.dispatch(st, st.body)
	case f.StreamID <= c.lastID, c.leaving:
		c.mu.Unlock()
		return nil // an old stream, or one that the GOAWAY told not to begin
	case f.StreamID%2 == 0:
		c.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	c.lastID = f.StreamID
	if len(c.streams) >= int(c.server.maxStreams) {
		c.mu.Unlock()
		return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeRefusedStream}
	}
	st = &stream{id: f.StreamID, window: c.initialWindow}
	c.streams[f.StreamID] = st
	c.mu.Unlock()

	for _, field := range f.Fields {
		switch field.Name {
		case ":method":
			st.method = field.Value
		case ":path":
			st.path = field.Value
		case ":authority":
			st.authority = field.Value
		case "authorization":
			st.authorization = field.Value
		case "content-type":
			st.contentType = field.Value
		case "origin", "sec-fetch-site":
			st.browser = true
		}
	}
	st.header = f.RegularFields()
	if f.Truncated {
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeEnhanceYourCalm}
	}
	if st.ended = f.StreamEnded(); st.ended {
		return c.dispatch(st, nil)
	}
	return nil
}

func (c *conn) handleData(f *http2.DataFrame) error {
	// The client is credited in large steps; its bytes count even if the stream is gone (RFC 9113 §5.1).
	if c.received += f.Length; c.received >= connWindow/4 {
		c.mu.Lock()
		_ = c.framer.WriteWindowUpdate(0, c.received)
		c.mu.Unlock()
		c.received = 0
	}
	c.mu.Lock()
	st := c.streams[f.StreamID]
	known := f.StreamID <= c.lastID || c.leaving
	c.mu.Unlock()
	if st == nil || st.dispatched {
		if !known {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		return nil
	}
	if st.ended = f.StreamEnded(); st.ended && len(st.body) == 0 {
		return c.dispatch(st, f.Data()) // the usual case, without a copy
	}
	st.body = append(st.body, f.Data()...)
	if st.ended || len(st.body) > sendapi.MaxBody {
		return c.dispatch(st, st.body)
	}
	return nil
}

// handleSettings runs under mu.
func (c *conn) handleSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err
		}
		switch s.ID {
		case http2.SettingInitialWindowSize:
			for _, st := range c.streams { // RFC 9113 §6.9.2
				st.window += int64(s.Val) - c.initialWindow
			}
			c.initialWindow = int64(s.Val)
			c.credit.Broadcast()
		case http2.SettingMaxFrameSize:
			c.maxFrame = int64(s.Val)
		case http2.SettingHeaderTableSize:
			c.encoder.SetMaxDynamicTableSize(min(s.Val, 4096))
		case http2.SettingEnablePush, http2.SettingMaxConcurrentStreams, http2.SettingMaxHeaderListSize,
			http2.SettingEnableConnectProtocol, http2.SettingNoRFC7540Priorities:
		}
		return nil
	})
	if err == nil {
		_ = c.framer.WriteSettingsAck()
	}
	return err
}

// handleWindowUpdate runs under mu.
func (c *conn) handleWindowUpdate(f *http2.WindowUpdateFrame) error {
	window := &c.window
	if f.StreamID != 0 {
		st := c.streams[f.StreamID]
		if st == nil {
			return nil
		}
		window = &st.window
	}
	if *window += int64(f.Increment); *window > math.MaxInt32 { // RFC 9113 §6.9.1
		if f.StreamID != 0 {
			c.abort(c.streams[f.StreamID], http2.ErrCodeFlowControl)
			return nil
		}
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	c.credit.Broadcast()
	return nil
}

// leave sends a GOAWAY frame: the requests that arrived are answered, later ones must use another connection. With
// final set, hung requests are ended too.
func (c *conn) leave(final bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.leaving {
		c.leaving = true
		_ = c.framer.WriteGoAway(c.lastID, http2.ErrCodeNo, nil)
	}
	c.final = c.final || final
	if final {
		_ = c.conn.SetWriteDeadline(time.Now().Add(closeDelay)) // whoever does not read must not hold up the end
		for _, st := range c.streams {
			if st.hung {
				c.abort(st, http2.ErrCodeCancel)
			}
		}
	}
	c.flush()
	c.closeIfDone()
}

// closeIfDone closes a leaving connection soon after its last answer. It runs under mu.
func (c *conn) closeIfDone() {
	if c.leaving && !c.closed && len(c.streams) == 0 {
		time.AfterFunc(closeDelay, c.close)
	}
}

// close ends the connection and everything on it. It may be called again.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	for _, st := range c.streams {
		c.dropStream(st)
	}
	c.credit.Broadcast()
	_ = c.conn.Close()
}
