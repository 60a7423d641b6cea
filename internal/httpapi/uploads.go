package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// uploadRecipients streams a body into the batch room. With an offset a repeat
// is harmless by itself. Without one, a key stands for the append for as long
// as keys are kept: another request with it must never append again, not even
// when this process died in the middle, which the lease says.
func (a *api) uploadRecipients() handler {
	appending := a.once(idempotency.Keep, a.upload)
	return func(ctx context.Context, x *exchange) (reply, error) {
		if x.query.has("offset") {
			return a.upload(ctx, x)
		}
		return appending(ctx, x)
	}
}

func (a *api) upload(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.pathID(push.PrefixBatch)
	if err != nil {
		return reply{}, err
	}
	body := x.stream()
	res, err := a.cfg.Batches.Upload(ctx, x.tenant, id, body, batch.Options{
		Offset: x.query.integer("offset"), AllOrNothing: x.query.flag("all_or_nothing"),
	})
	if err == nil {
		return reply{status: http.StatusOK, body: uploadView(&res)}, nil
	}
	return reply{}, halfway(&res, body.err, err)
}

// halfway says how to go on after an upload that did not reach its end. A
// client whose connection broke will hardly read it, but finds it when it asks
// again with its key.
func halfway(res *batch.Result, readErr, err error) *refusal {
	r := refusalOf(err)
	switch {
	case errors.Is(readErr, os.ErrDeadlineExceeded):
		r = refuse(codeSlow, "").by(err)
	case readErr != nil || r.code == codeGone:
		r = refuse(codeIncomplete, "").by(err)
	case r.status() < http.StatusInternalServerError:
		return r
	}
	r.detail = fmt.Sprintf("the upload broke off; %d lines are durable in all: continue with offset=%d", res.Watermark, res.Watermark+1)
	r.memory = forgotten
	if res.Accepted+res.Invalid > 0 {
		r.memory = kept
	}
	return r
}

func uploadView(res *batch.Result) client.UploadResult {
	v := client.UploadResult{Accepted: res.Accepted, Invalid: res.Invalid, Skipped: res.Skipped, Watermark: res.Watermark}
	for _, f := range res.Faults {
		v.Errors = append(v.Errors, client.LineError{Line: f.Line, Pointer: f.Pointer, Code: f.Code, Detail: f.Detail})
	}
	return v
}
