package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// uploadRecipients streams a body into the batch room. With an offset a repeat
// is harmless by itself. Without one, a key stands for the append for as long
// as keys are kept: another request with it must never append again, not even
// when this process died in the middle, which the lease says.
func (b *batches) uploadRecipients() door.Handler {
	appending := door.Once(idempotency.Keep, b.upload)
	return func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
		if x.Query.Has("offset") {
			return b.upload(ctx, x)
		}
		return appending(ctx, x)
	}
}

func (b *batches) upload(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := x.PathID(push.PrefixBatch)
	if err != nil {
		return door.Reply{}, err
	}
	csv, err := x.LinesOfCSV()
	if err != nil {
		return door.Reply{}, err
	}
	format := batch.NDJSON
	if csv {
		format = batch.CSV
	}
	body, err := x.Stream()
	if err != nil {
		return door.Reply{}, err
	}
	defer body.Close()
	res, err := b.room.Upload(ctx, x.Tenant, id, body, batch.Options{
		Offset: x.Query.Integer("offset"), AllOrNothing: x.Query.Flag("all_or_nothing"), Format: format,
	})
	if err == nil {
		return door.Reply{Status: http.StatusOK, Body: uploadView(&res)}, nil
	}
	return door.Reply{}, halfway(&res, body.Broken(), err, x.RefusalOf(err))
}

// halfway returns the refusal of an upload that did not reach its end; it says how to
// continue. broken is the fault of the stream, nil if that was not the cause; r is the
// refusal of err otherwise. A client whose connection broke does not read this answer, but
// gets it when it repeats the request with its key.
func halfway(res *batch.Result, broken *door.RefusalError, err error, r *door.RefusalError) *door.RefusalError {
	why := "the upload broke off"
	switch {
	case broken != nil:
		why += ": " + broken.Detail
		r = door.Refuse(broken.Code, "").By(err)
	case r.Code == door.CodeGone:
		r = door.Refuse(door.CodeIncomplete, "").By(err)
	case r.Code == door.CodeQuota:
		why += ": " + r.Detail
	case r.Status() < http.StatusInternalServerError && r.Code != door.CodeThrottled:
		return r
	}
	r.Detail = fmt.Sprintf("%s; %d lines are durable in all: continue with offset=%d", why, res.Watermark, res.Watermark+1)
	r.Memory = door.Forgotten
	if res.Accepted+res.Invalid > 0 {
		r.Memory = door.Kept
	}
	return r
}

func uploadView(res *batch.Result) client.UploadResult {
	v := client.UploadResult{
		Accepted: res.Accepted, Duplicates: res.Duplicates, Invalid: res.Invalid, Skipped: res.Skipped, Watermark: res.Watermark,
	}
	v.Warned = res.Warned
	for _, f := range res.Faults {
		v.Errors = append(v.Errors, lineView(f.Line, f.Fault))
	}
	for _, f := range res.Warnings {
		v.Warnings = append(v.Warnings, lineView(f.Line, f.Fault))
	}
	return v
}

func lineView(line int64, f push.Fault) client.LineError {
	return client.LineError{Line: line, Pointer: f.Pointer, Code: f.Code, Detail: f.Detail}
}
