package lean

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// unsent is where frames are written before they are sent.
type unsent struct{ c *conn }

func (u unsent) Write(p []byte) (int, error) {
	u.c.out = append(u.c.out, p...)
	return len(p), nil
}

// flush sends what is buffered. It runs under mu but does not hold it while it sends; if somebody sends already, that
// one takes the new frames along.
func (c *conn) flush() {
	if c.writing {
		if len(c.out) > maxUnsent {
			_ = c.conn.Close() // the client does not read; the reading goroutine notices and cleans up
		}
		return
	}
	c.writing = true
	for len(c.out) > 0 && !c.closed {
		sending := c.out
		c.out = c.spare[:0]
		c.mu.Unlock()
		_, err := c.conn.Write(sending)
		c.mu.Lock()
		c.spare = sending
		if err != nil {
			c.out = nil
			_ = c.conn.Close()
		}
	}
	c.writing = false
}

// reset refuses or ends a stream.
func (c *conn) reset(id uint32, code http2.ErrCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.framer.WriteRSTStream(id, code)
	c.dropStream(c.streams[id])
}

// abort ends a stream without an answer. It runs under mu.
func (c *conn) abort(st *stream, code http2.ErrCode) {
	_ = c.framer.WriteRSTStream(st.id, code)
	c.dropStream(st)
}

// dropStream drops a stream, if there is one, and whatever is still to come of it. It runs under mu.
func (c *conn) dropStream(st *stream) {
	if st == nil || c.streams[st.id] != st {
		return
	}
	delete(c.streams, st.id)
	if st.timer != nil {
		st.timer.Stop()
	}
	if st.cancel != nil {
		st.cancel()
	}
	c.credit.Broadcast()
	c.closeIfDone()
}

// alive reports whether somebody waits for the stream's answer. It runs under mu.
func (c *conn) alive(st *stream) bool { return !c.closed && c.streams[st.id] == st }

// answer writes a whole answer. It runs under mu.
func (c *conn) answer(st *stream, status int, header http.Header, body []byte) {
	c.writeHeader(st, status, header, len(body))
	if n := int64(len(body)); n <= min(c.maxFrame, c.window, st.window) {
		c.writeData(st, body, true)
		c.done(st)
		return
	}
	body = bytes.Clone(body)
	c.server.running.Go(func() { // rare: the client is short of window
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.writeBody(st, body, true) {
			c.done(st)
		}
		c.flush()
	})
}

// done ends a stream whose answer is complete. A client that has not said all is told to stop (RFC 9113 §8.1). It
// runs under mu.
func (c *conn) done(st *stream) {
	if !st.ended {
		_ = c.framer.WriteRSTStream(st.id, http2.ErrCodeNo)
	}
	c.dropStream(st)
}

// writeHeader writes the header section; length below 0 is unknown. It runs under mu.
func (c *conn) writeHeader(st *stream, status int, header http.Header, length int) {
	c.block.Reset()
	c.field(":status", strconv.Itoa(status))
	for name, values := range header {
		for _, v := range values {
			c.field(strings.ToLower(name), v)
		}
	}
	if length >= 0 {
		c.field("content-length", strconv.Itoa(length))
	}
	if now := c.server.cfg.Now(); now.Unix() != c.dateAt || c.date == "" {
		c.date, c.dateAt = now.UTC().Format(http.TimeFormat), now.Unix()
	}
	c.field("date", c.date)
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: st.id, BlockFragment: c.block.Bytes(), EndHeaders: true, // far below the smallest frame size
	})
}

func (c *conn) field(name, value string) {
	_ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value}) // to a bytes.Buffer
}

// writeBody writes data as windows and frame size permit, and waits where they do not. It runs under mu and reports
// whether the stream is still there.
func (c *conn) writeBody(st *stream, data []byte, last bool) bool {
	for c.alive(st) {
		n := min(int64(len(data)), c.maxFrame, c.window, st.window)
		if n <= 0 && len(data) > 0 {
			c.flush() // gives the lock away while it sends, so that credit may have come meanwhile
			if min(c.window, st.window) <= 0 && c.alive(st) {
				c.credit.Wait()
			}
			continue
		}
		part := data[:n]
		data = data[n:]
		c.writeData(st, part, last && len(data) == 0)
		if len(data) == 0 {
			c.flush()
			return c.alive(st)
		}
	}
	return false
}

// writeData writes one frame. It runs under mu.
func (c *conn) writeData(st *stream, data []byte, last bool) {
	c.window -= int64(len(data))
	st.window -= int64(len(data))
	_ = c.framer.WriteData(st.id, last, data)
}
