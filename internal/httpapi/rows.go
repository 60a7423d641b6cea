package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/belfry-push/belfry/internal/push"
)

// rows streams an answer of NDJSON, page by page: a page is in memory, never
// more. The first page is read before the answer begins, so that what is wrong
// with the request still becomes a problem; what fails later cuts the answer
// off.
type rows struct {
	x    *exchange
	out  *http.ResponseController
	page bytes.Buffer
	enc  *json.Encoder
}

func newRows(x *exchange) *rows {
	r := &rows{x: x, out: http.NewResponseController(x.w)}
	r.enc = json.NewEncoder(&r.page)
	r.enc.SetEscapeHTML(false)
	return r
}

// add puts a row on the page in hand.
func (r *rows) add(row any) error {
	if err := r.enc.Encode(row); err != nil {
		return fmt.Errorf("encode a row: %w", err)
	}
	return nil
}

// flush sends the page in hand.
func (r *rows) flush() error {
	r.x.patience()
	r.x.w.Header().Set("Content-Type", typeNDJSON)
	if r.x.w.status == 0 {
		r.x.w.WriteHeader(http.StatusOK)
	}
	if _, err := r.x.w.Write(r.page.Bytes()); err != nil {
		return refuse(codeGone, "").by(err)
	}
	_ = r.out.Flush() // a writer that can't flush has nothing to hold back
	r.page.Reset()
	return nil
}

// classInvalid is the class of a report's rows that are refused lines. It is
// none of the taxonomy's: no delivery came of them.
const classInvalid = "invalid"

// invalidRow is a refused line in a report; the document describes it as a
// client.Delivery without what only a delivery has.
type invalidRow struct {
	Line    int64  `json:"line"`
	Class   string `json:"class"`
	Code    string `json:"code"`
	Pointer string `json:"pointer,omitempty"`
	Detail  string `json:"detail"`
}

// streamInvalid writes the refused lines of a batch.
func (a *api) streamInvalid(ctx context.Context, x *exchange, id push.ID) error {
	out := newRows(x)
	for cursor := ""; ; {
		lines, next, err := a.cfg.Reports.Invalid(ctx, x.tenant, id, cursor, streamPage)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if err := out.add(invalidRow{Line: l.Line, Class: classInvalid, Code: l.Code, Pointer: l.Pointer, Detail: l.Detail}); err != nil {
				return err
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		if cursor = next; cursor == "" || x.r.Method == http.MethodHead {
			return nil
		}
	}
}

// reportParams are filterParams with the class of refused lines.
func reportParams() []param {
	params := filterParams()
	for i := range params {
		if params[i].name == "class" {
			params[i].choices = append(params[i].choices, classInvalid)
			params[i].about = "Only deliveries of this class; invalid: only upload lines that were refused."
		}
	}
	return params
}
