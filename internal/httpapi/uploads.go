package httpapi

import (
	"context"
	"fmt"
	"net/http"

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
	format, err := x.format()
	if err != nil {
		return reply{}, err
	}
	body, err := a.stream(x)
	if err != nil {
		return reply{}, err
	}
	defer body.close()
	res, err := a.cfg.Batches.Upload(ctx, x.tenant, id, body, batch.Options{
		Offset: x.query.integer("offset"), AllOrNothing: x.query.flag("all_or_nothing"), Format: format,
	})
	if err == nil {
		return reply{status: http.StatusOK, body: uploadView(&res)}, nil
	}
	return reply{}, halfway(&res, body.broken(), err)
}

// halfway says how to go on after an upload that did not reach its end. broken
// is what was wrong with its stream, if that was it. A client whose connection
// broke will hardly read it, but finds it when it asks again with its key.
func halfway(res *batch.Result, broken *refusal, err error) *refusal {
	r := refusalOf(err)
	why := "the upload broke off"
	switch {
	case broken != nil:
		why += ": " + broken.detail
		r = refuse(broken.code, "").by(err)
	case r.code == codeGone:
		r = refuse(codeIncomplete, "").by(err)
	case r.status() < http.StatusInternalServerError && r.code != codeThrottled:
		return r
	}
	r.detail = fmt.Sprintf("%s; %d lines are durable in all: continue with offset=%d", why, res.Watermark, res.Watermark+1)
	r.memory = forgotten
	if res.Accepted+res.Invalid > 0 {
		r.memory = kept
	}
	return r
}

func uploadView(res *batch.Result) client.UploadResult {
	v := client.UploadResult{Accepted: res.Accepted, Duplicates: res.Duplicates, Invalid: res.Invalid, Skipped: res.Skipped, Watermark: res.Watermark}
	for _, f := range res.Faults {
		v.Errors = append(v.Errors, client.LineError{Line: f.Line, Pointer: f.Pointer, Code: f.Code, Detail: f.Detail})
	}
	return v
}
