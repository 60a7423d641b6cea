package door

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
)

// Pieces is an answer whose pieces are written as they come. A failure before the first
// piece is answered with a problem; a later failure cuts the answer off. It belongs to the
// request's goroutine.
type Pieces struct {
	// Head is the header of the answer, unless that is a problem.
	Head http.Header

	x *Exchange
}

// Pieces returns an answer of that media type, which has not begun.
func (x *Exchange) Pieces(mediaType string) *Pieces {
	return &Pieces{x: x, Head: http.Header{"Content-Type": {mediaType}}}
}

// Begin begins the answer, with the status 200, once the call is in the audit log if it
// belongs there.
//
//nolint:contextcheck,nolintlint // a writer has no context but the request's; its callers would be told of it
func (p *Pieces) Begin() error {
	if err := p.x.audit(p.x.Request.Context(), http.StatusOK); err != nil {
		return err
	}
	maps.Copy(p.x.w.Header(), p.Head)
	p.x.w.WriteHeader(http.StatusOK)
	return nil
}

// Write implements io.Writer.
func (p *Pieces) Write(b []byte) (int, error) {
	p.x.patience()
	if p.x.w.status == 0 {
		if err := p.Begin(); err != nil {
			return 0, err
		}
	}
	n, err := p.x.w.Write(b)
	if err != nil {
		return n, Refuse(CodeGone, "").By(err)
	}
	return n, nil
}

// Rows streams an answer of NDJSON, page by page: a page is in memory, never
// more. The first page is read before the answer begins, so that a fault of the request is
// still answered with a problem; a later failure cuts the answer off.
type Rows struct {
	pieces *Pieces
	out    *http.ResponseController
	page   bytes.Buffer
	enc    *json.Encoder
}

// Rows returns an answer of rows, which has not begun.
func (x *Exchange) Rows() *Rows {
	r := &Rows{pieces: x.Pieces(TypeNDJSON), out: http.NewResponseController(x.w)}
	r.enc = json.NewEncoder(&r.page)
	r.enc.SetEscapeHTML(false)
	return r
}

// Add puts a row on the page in hand.
func (r *Rows) Add(row any) error {
	if err := r.enc.Encode(row); err != nil {
		return fmt.Errorf("encode a row: %w", err)
	}
	return nil
}

// Flush sends the page in hand.
func (r *Rows) Flush() error {
	if _, err := r.pieces.Write(r.page.Bytes()); err != nil {
		return err
	}
	_ = r.out.Flush() // a writer that can't flush has nothing to hold back
	r.page.Reset()
	return nil
}

// Serving lets h write the answer.
func Serving(h http.Handler) Step {
	return func(_ context.Context, x *Exchange) error {
		h.ServeHTTP(x.w, x.Request)
		return nil
	}
}

// Document answers with the OpenAPI document of the door.
func Document(_ context.Context, x *Exchange) (Reply, error) {
	document, err := x.door.document()
	return Reply{Status: http.StatusOK, Raw: document}, err
}
