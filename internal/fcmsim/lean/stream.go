package lean

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/http2"

	"github.com/belfry-push/belfry/internal/fcmsim/sendapi"
)

// errCut ends a connection that an outage refuses.
var errCut = errors.New("connection cut by a simulated outage")

// dispatch hands a complete request, or one whose body is too large, to whoever answers it. It runs on the reading
// goroutine; body is only valid until it returns.
func (c *conn) dispatch(st *stream, body []byte) error {
	st.dispatched = true
	if st.method == http.MethodPost && !st.browser {
		if project, ok := sendapi.Path(st.path); ok {
			return c.send(st, sendapi.Call{Project: project, Authorization: st.authorization, ContentType: st.contentType, Body: body})
		}
	}
	return c.serveOther(st, bytes.Clone(body))
}

// send answers one call of the send endpoint, like sendapi.API.Serve but without a goroutine: an answer that takes time is
// written when its timer fires.
func (c *conn) send(st *stream, in sendapi.Call) error {
	api := c.server.cfg.API
	v := api.Receive(c.state, in, &c.mem)
	switch v.Fate {
	case sendapi.FateRefuse:
		c.state.Cut()
		return errCut
	case sendapi.FateHang:
		c.mu.Lock()
		defer c.mu.Unlock()
		st.hung = true
		if c.final {
			c.abort(st, http2.ErrCodeCancel)
		}
		return nil
	case sendapi.FateAnswer, sendapi.FateDrop:
	}
	pause := api.Pause()
	if pause <= 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conclude(st, v, c.mem.Out)
		return nil
	}
	var name []byte
	if v.Answer == nil {
		name = bytes.Clone(c.mem.Out)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.alive(st) {
		return nil
	}
	st.timer = time.AfterFunc(pause, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conclude(st, v, name)
		c.flush()
	})
	return nil
}

// conclude ends a send as decided; accepted is the answer to an accepted one. It runs under mu.
func (c *conn) conclude(st *stream, v sendapi.Verdict, accepted []byte) {
	switch {
	case !c.alive(st):
	case v.Fate == sendapi.FateDrop:
		c.abort(st, http2.ErrCodeInternal)
	case v.Answer != nil:
		c.answer(st, v.Answer.Status, v.Answer.Header, v.Answer.Body)
	default:
		c.answer(st, http.StatusOK, c.server.cfg.API.AcceptedHeader(), accepted)
	}
}

// serveOther runs the handler of another path, or of a browser's request to any, on a goroutine of its own.
func (c *conn) serveOther(st *stream, body []byte) error {
	target, err := url.ParseRequestURI(st.path)
	if err != nil {
		return http2.StreamError{StreamID: st.id, Code: http2.ErrCodeProtocol, Cause: err}
	}
	ctx, cancel := context.WithCancel(c.state.In(context.Background()))
	r := (&http.Request{
		Method: st.method, URL: target, RequestURI: st.path, Host: st.authority,
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: make(http.Header, len(st.header)),
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		RemoteAddr: c.conn.RemoteAddr().String(),
	}).WithContext(ctx)
	for _, f := range st.header {
		r.Header.Add(f.Name, f.Value)
	}
	c.mu.Lock()
	st.cancel = cancel
	c.mu.Unlock()
	c.server.running.Go(func() {
		defer cancel()
		w := &response{c: c, st: st, header: make(http.Header)}
		defer w.finish()
		c.server.cfg.Handler.ServeHTTP(w, r)
	})
	return nil
}

// response is the http.ResponseWriter of the other paths.
type response struct {
	c       *conn
	st      *stream
	header  http.Header
	started bool
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if !w.started && w.c.alive(w.st) {
		w.c.writeHeader(w.st, status, w.header, -1)
	}
	w.started = true
}

// Write implements http.ResponseWriter. It waits while the client's window is used up.
func (w *response) Write(p []byte) (int, error) {
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if !w.c.writeBody(w.st, p, false) {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// finish ends the answer: with what was written, or, if the handler panicked, without an end.
func (w *response) finish() {
	broken := recover()
	if broken == nil && !w.started {
		w.WriteHeader(http.StatusOK)
	}
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	switch {
	case !w.c.alive(w.st):
	case broken != nil:
		w.c.server.cfg.Logger.Error("simulator handler panicked", zap.String("panic", fmt.Sprint(broken)))
		w.c.abort(w.st, http2.ErrCodeInternal)
	default:
		w.c.writeData(w.st, nil, true)
		w.c.done(w.st)
	}
	w.c.flush()
}
