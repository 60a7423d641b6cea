package h2

import (
	"context"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// stream is one request under way. The connection's lock guards it as long as
// it is in the connection's table; whoever takes it out of the table owns it
// and, unless that is the caller himself, signals done once.
type stream struct {
	id       uint32
	ctx      context.Context //nolint:containedctx // of the caller, who waits
	resp     *transport.Response
	deadline time.Time
	rest     []byte // the body's bytes that wait for flow control
	window   int32  // how much of it the peer will take (§5.2); may be negative
	sentEnd  uint64 // offset in the connection's output after END_STREAM; 0 = not written yet
	err      error
	done     chan struct{} // capacity 1
}

// streamPool keeps streams for reuse, their channels above all.
type streamPool struct{ p sync.Pool }

func (sp *streamPool) get(body []byte, resp *transport.Response, deadline time.Time) *stream {
	s, ok := sp.p.Get().(*stream)
	if !ok {
		s = &stream{done: make(chan struct{}, 1)}
	}
	s.resp, s.rest, s.deadline = resp, body, deadline
	return s
}

// put gives a stream back. Its channel must be empty and no one else may hold
// it.
func (sp *streamPool) put(s *stream) {
	s.ctx, s.resp, s.rest, s.err, s.sentEnd = nil, nil, nil, nil, 0
	sp.p.Put(s)
}
