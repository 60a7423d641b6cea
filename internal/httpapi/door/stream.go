package door

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// streamPatience is how long an upload may stay silent. An upload has no other
// limit: its lines are bounded by the room that reads them.
const streamPatience = 30 * time.Second

// Upload is the body of an upload: decoded, of any size, with a deadline
// for every read. It is for the request's goroutine.
type Upload struct {
	*decoder

	wire *wireBody
}

// Stream returns the body of an upload. The caller closes it.
func (x *Exchange) Stream() (*Upload, error) {
	kind, err := x.coding()
	if err != nil {
		return nil, err
	}
	body := &wireBody{x: x, rc: http.NewResponseController(x.w), patience: x.door.cfg.Silence}
	d := newDecoder(kind, body)
	d.free = x.door.cfg.Free
	return &Upload{decoder: d, wire: body}, nil
}

// Close gives the decoder's memory back.
func (s *Upload) Close() { s.end() }

// Broken says why the stream did not come to its end; nil if it did.
func (s *Upload) Broken() *RefusalError {
	switch {
	case s.wire.err == nil:
		return s.damage()
	case errors.Is(s.wire.err, os.ErrDeadlineExceeded):
		return Refuse(CodeSlow, "no data came for %s", s.wire.patience).By(s.wire.err)
	case errors.Is(s.wire.err, io.ErrUnexpectedEOF):
		return Refuse(CodeIncomplete, "the body ended before its Content-Length or last chunk").By(s.wire.err)
	}
	return Refuse(CodeIncomplete, "the body could not be read to its end").By(s.wire.err)
}

// wireBody is a body before decoding.
type wireBody struct {
	x        *Exchange
	rc       *http.ResponseController
	patience time.Duration
	err      error // why reading failed; nil at a good end
}

// Read implements io.Reader.
func (s *wireBody) Read(p []byte) (int, error) {
	_ = s.rc.SetReadDeadline(time.Now().Add(s.patience))
	n, err := s.x.Request.Body.Read(p)
	switch err {
	case nil:
	case io.EOF:
		s.x.bodyEnded()
	default:
		s.err = err
	}
	return n, err
}

// LinesOfCSV reports whether an upload's lines are CSV rather than NDJSON, by its
// Content-Type, which was checked to be one of the route's.
func (x *Exchange) LinesOfCSV() (bool, error) {
	kind, params, _ := mime.ParseMediaType(x.Request.Header.Get("Content-Type")) // "" if there is none
	if kind != TypeCSV {
		return false, nil
	}
	// The parameters of RFC 4180 §3 and RFC 7111 §5.1. US-ASCII is a part of UTF-8.
	switch charset := strings.ToLower(params["charset"]); charset {
	case "", "utf-8", "us-ascii":
	default:
		return true, Refuse(CodeMediaType, "CSV must be UTF-8, not %s", push.Clip(charset))
	}
	if strings.EqualFold(params["header"], "absent") {
		return true, Refuse(CodeMediaType, "CSV must begin with a header row that names its columns")
	}
	return true, nil
}
