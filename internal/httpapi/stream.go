package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/batch"
)

// streamPatience is how long an upload may stay silent. An upload has no other
// limit: its lines are bounded by the room that reads them.
const streamPatience = 30 * time.Second

// streamBody is the body of an upload: decoded, of any size, with a deadline
// for every read. It is for the request's goroutine.
type streamBody struct {
	*decoder

	wire *wireBody
}

// stream returns the body of an upload. The caller closes it.
func (a *api) stream(x *exchange) (*streamBody, error) {
	kind, err := x.coding()
	if err != nil {
		return nil, err
	}
	body := &wireBody{x: x, rc: http.NewResponseController(x.w), patience: a.silence}
	return &streamBody{decoder: newDecoder(kind, body), wire: body}, nil
}

// close gives the decoder's memory back.
func (s *streamBody) close() { s.end() }

// broken says why the stream did not come to its end; nil if it did.
func (s *streamBody) broken() *refusal {
	switch {
	case s.wire.err == nil:
		return s.damage()
	case errors.Is(s.wire.err, os.ErrDeadlineExceeded):
		return refuse(codeSlow, "no data came for %s", s.wire.patience).by(s.wire.err)
	case errors.Is(s.wire.err, io.ErrUnexpectedEOF):
		return refuse(codeIncomplete, "the body ended before its Content-Length or last chunk").by(s.wire.err)
	}
	return refuse(codeIncomplete, "the body could not be read to its end").by(s.wire.err)
}

// wireBody is a body as it comes.
type wireBody struct {
	x        *exchange
	rc       *http.ResponseController
	patience time.Duration
	err      error // why reading failed; nil at a good end
}

// Read implements io.Reader.
func (s *wireBody) Read(p []byte) (int, error) {
	_ = s.rc.SetReadDeadline(time.Now().Add(s.patience))
	n, err := s.x.r.Body.Read(p)
	switch err {
	case nil:
	case io.EOF:
		s.x.bodyEnded()
	default:
		s.err = err
	}
	return n, err
}

// format returns what an upload's lines are, by its Content-Type, which was
// checked to be one of the route's.
func (x *exchange) format() (batch.Format, error) {
	kind, params, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type")) // "" if there is none
	if kind != typeCSV {
		return batch.NDJSON, nil
	}
	// The parameters of RFC 4180 §3 and RFC 7111 §5.1. US-ASCII is a part of UTF-8.
	switch charset := strings.ToLower(params["charset"]); charset {
	case "", "utf-8", "us-ascii":
	default:
		return batch.CSV, refuse(codeMediaType, "CSV must be UTF-8, not %s", clip(charset))
	}
	if strings.EqualFold(params["header"], "absent") {
		return batch.CSV, refuse(codeMediaType, "CSV must begin with a header row that names its columns")
	}
	return batch.CSV, nil
}
