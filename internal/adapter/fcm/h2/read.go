package h2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// readLoop reads frames until the connection ends.
func (c *conn) readLoop() {
	err := c.readFrames()
	var ce http2.ConnectionError
	switch {
	case errors.As(err, &ce):
		c.quit(http2.ErrCode(ce), fmt.Errorf("peer broke the protocol: %w", err))
	case errors.Is(err, http2.ErrFrameTooLarge):
		c.quit(http2.ErrCodeFrameSize, err)
	case errors.Is(err, io.EOF):
		c.fail(errBroken)
	default:
		c.fail(err)
	}
}

// quit takes the connection out of service and closes it after a GOAWAY that
// gives the reason (§5.4.1).
func (c *conn) quit(code http2.ErrCode, cause error) {
	c.mu.Lock()
	c.leave(code, cause)
	c.mu.Unlock()
	c.client.retire(c, cause)
}

func (c *conn) readFrames() error {
	for {
		switch plain, err := c.readPlain(); {
		case err != nil:
			return err
		case plain:
			c.heard.Store(true)
			continue
		}
		f, err := c.rd.ReadFrame()
		if err != nil {
			var se http2.StreamError
			if !errors.As(err, &se) {
				return err
			}
			c.endStream(se.StreamID, se.Code, &transport.Error{Kind: transport.Reset, Err: err})
			continue
		}
		c.heard.Store(true)
		if err := c.handle(f); err != nil {
			return err
		}
	}
}

// handle dispatches one frame. Only errors of the connection come back.
func (c *conn) handle(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.onHeaders(f)
	case *http2.DataFrame:
		return c.receive(f.StreamID, int(f.Length), f.Data(), f.StreamEnded())
	case *http2.SettingsFrame:
		return c.onSettings(f)
	case *http2.WindowUpdateFrame:
		return c.onWindowUpdate(f)
	case *http2.PingFrame:
		c.onPing(f)
	case *http2.RSTStreamFrame:
		c.onReset(f)
	case *http2.GoAwayFrame:
		c.onGoAway(f)
	case *http2.PushPromiseFrame:
		// We said SETTINGS_ENABLE_PUSH 0 (§6.6).
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	// PRIORITY and unknown types are ignored (§5.3.2, §5.5).
	return nil
}

// frameHeader is how many bytes a frame has before its payload (§4.1).
const frameHeader = 9

// readPlain reads the next frame if it is what nearly all are: a DATA frame, or a
// header block in one HEADERS frame, without padding and priority. It leaves all
// others to the Framer, which makes an object of every frame.
func (c *conn) readPlain() (bool, error) {
	h, err := c.in.Peek(frameHeader)
	if err != nil {
		return false, nil //nolint:nilerr // the Framer finds the same
	}
	n := int(h[0])<<16 | int(h[1])<<8 | int(h[2])
	kind, flags := http2.FrameType(h[3]), http2.Flags(h[4])
	id := binary.BigEndian.Uint32(h[5:]) & maxStreamID
	end := flags.Has(http2.FlagDataEndStream) // of HEADERS too
	data := kind == http2.FrameData && flags&^http2.FlagDataEndStream == 0
	headers := kind == http2.FrameHeaders && flags&^http2.FlagHeadersEndStream == http2.FlagHeadersEndHeaders
	if id == 0 || !data && !headers || frameHeader+n > c.in.Size() {
		return false, nil
	}
	frame, err := c.in.Peek(frameHeader + n)
	if err != nil {
		return false, nil //nolint:nilerr // likewise
	}
	payload := frame[frameHeader:]
	if data {
		err = c.receive(id, n, payload, end)
	} else {
		c.hdr.begin()
		if err = c.hdr.add(payload, true); err == nil {
			err = c.respond(id, end)
		}
	}
	_, _ = c.in.Discard(len(frame)) // they are there
	return true, err
}

// onHeaders reads a header block, which no other frame may interrupt (§6.10;
// the Framer watches over that), and applies it to its stream.
func (c *conn) onHeaders(f *http2.HeadersFrame) error {
	id, end := f.StreamID, f.StreamEnded()
	c.hdr.begin()
	last := f.HeadersEnded()
	err := c.hdr.add(f.HeaderBlockFragment(), last)
	for err == nil && !last {
		next, rerr := c.rd.ReadFrame()
		if rerr != nil {
			return rerr
		}
		more, ok := next.(*http2.ContinuationFrame)
		if !ok {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		last = more.HeadersEnded()
		err = c.hdr.add(more.HeaderBlockFragment(), last)
	}
	if err != nil {
		return err
	}
	return c.respond(id, end)
}

// respond applies a header block to its stream.
func (c *conn) respond(id uint32, end bool) error {
	c.mu.Lock()
	if c.idle(id) {
		c.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	s, ok := c.streams[id]
	if !ok { // one that we gave up
		c.mu.Unlock()
		return nil
	}
	switch status := c.hdr.status; {
	case s.resp.Status != 0 && end:
		// Trailers (§8.1): nothing in them is of interest.
	case s.resp.Status == 0 && status >= 200:
		s.resp.Status, s.resp.RetryAfter = status, c.hdr.retryAfter
		c.answered.Store(true)
	case s.resp.Status == 0 && status >= 100 && !end:
		// An interim response; the final one follows (§8.1).
	default:
		c.removeStream(s)
		c.cancel(id, http2.ErrCodeProtocol)
		c.mu.Unlock()
		c.finish(s, settle(s, &transport.Error{Kind: transport.Reset, Err: errMalformed}))
		return nil
	}
	if !end {
		c.mu.Unlock()
		return nil
	}
	c.complete(s)
	return nil
}

// complete ends a stream whose response is whole. The lock is held, and given
// back.
func (c *conn) complete(s *stream) {
	if s.sentEnd == 0 {
		// The peer answered before it had the whole body: the rest is no longer
		// wanted (§8.1).
		c.cancel(s.id, http2.ErrCodeNo)
	}
	c.removeStream(s)
	c.mu.Unlock()
	c.finish(s, nil)
}

// receive collects a response body and gives the connection's window back. The
// frame had a payload of n bytes, of which data is what is not padding.
func (c *conn) receive(id uint32, n int, data []byte, end bool) error {
	c.mu.Lock()
	if c.idle(id) {
		c.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	// Padding and data for streams that are gone count as well (§6.9).
	c.recvSpent += int32(n) //nolint:gosec // at most maxRecvFrame
	if c.recvSpent > recvWindow/2 {
		_ = c.wr.WriteWindowUpdate(0, uint32(c.recvSpent))
		c.recvSpent = 0
		c.wake()
	}
	s, ok := c.streams[id]
	if !ok {
		c.mu.Unlock()
		return nil
	}
	if s.resp.Status == 0 {
		c.removeStream(s)
		c.cancel(s.id, http2.ErrCodeProtocol)
		c.mu.Unlock()
		c.finish(s, &transport.Error{Kind: transport.Reset, Err: errMalformed})
		return nil
	}
	room := transport.MaxBody - len(s.resp.Body)
	s.resp.Truncated = len(data) > room
	s.resp.Body = append(s.resp.Body, data[:min(len(data), room)]...)
	switch {
	case end:
		c.complete(s)
	case len(data) >= room:
		// The window that we offered is used up and is not renewed: what there
		// is must do.
		s.resp.Truncated = true
		c.removeStream(s)
		c.cancel(s.id, http2.ErrCodeCancel)
		c.mu.Unlock()
		c.finish(s, nil)
	default:
		c.mu.Unlock()
	}
	return nil
}

// onReset ends one stream at the peer's wish (§6.4). REFUSED_STREAM promises
// that nothing was processed (§8.7).
func (c *conn) onReset(f *http2.RSTStreamFrame) {
	kind := transport.Reset
	if f.ErrCode == http2.ErrCodeRefusedStream {
		kind = transport.Refused
	}
	c.endStream(f.StreamID, http2.ErrCodeNo, &transport.Error{Kind: kind, Err: fmt.Errorf("peer reset the stream: %v", f.ErrCode)})
}

// endStream ends a stream with an error, and tells the peer unless code is NO_ERROR.
func (c *conn) endStream(id uint32, code http2.ErrCode, err *transport.Error) {
	c.mu.Lock()
	s, ok := c.streams[id]
	if !ok {
		c.mu.Unlock()
		return
	}
	c.removeStream(s)
	if code != http2.ErrCodeNo {
		c.cancel(id, code)
	}
	c.mu.Unlock()
	c.finish(s, settle(s, err))
}

// onGoAway ends the requests that the peer did not take and lets the others
// finish (§6.8); another connection takes over.
func (c *conn) onGoAway(f *http2.GoAwayFrame) {
	cause := errGoAway
	if f.ErrCode != http2.ErrCodeNo {
		cause = fmt.Errorf("%w: %v", errGoAway, f.ErrCode)
	}
	c.mu.Lock()
	if c.state == stateOpen {
		c.state = stateDraining
	}
	var refused []*stream
	for id, s := range c.streams {
		if id > f.LastStreamID {
			refused = append(refused, s)
		}
	}
	for _, s := range refused {
		c.removeStream(s)
	}
	c.mu.Unlock()
	c.drain(cause)
	for _, s := range refused {
		c.finish(s, &transport.Error{Kind: transport.Refused, Err: cause})
	}
}

// idle reports whether a stream was never opened: frames on it are an error of
// the connection (§5.1). The lock is held.
func (c *conn) idle(id uint32) bool { return id >= c.nextID || id%2 == 0 }
