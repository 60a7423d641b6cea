package httpapi

import (
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/httpapi/deadletters"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/ingest"
)

// ofRooms maps errors of the rooms to refusals; nil for any other error.
func ofRooms(err error) *door.RefusalError {
	if e, ok := errors.AsType[*batch.GapError](err); ok {
		return door.Refuse(door.CodeGap, "the upload begins with line %d, but only %d lines are durable: continue with offset=%d", e.Offset,
			e.Watermark, e.Watermark+1)
	}
	if e, ok := errors.AsType[*batch.RefusedError](err); ok {
		return ofRefusedUpload(e)
	}
	if e, ok := errors.AsType[*credential.InvalidError](err); ok {
		return door.Refuse(door.CodeInvalid, "%s", e.Why)
	}
	if e, ok := errors.AsType[*credential.OtherProjectError](err); ok {
		return door.Refuse(door.CodeState, "%s with change_project=true", e.Error())
	}
	switch {
	case errors.Is(err, credential.ErrNoKey):
		return door.Refuse(door.CodeState, "%s", credential.ErrNoKey)
	case errors.Is(err, ingest.ErrOtherApp):
		return door.Refuse(door.CodeForbidden, "this key is limited to another app: leave app out, or use a key of that app")
	case errors.Is(err, ingest.ErrKeyReused):
		return door.Refuse(door.CodeKeyReused, "it was used before, with another request: use a new key for a new request")
	case errors.Is(err, batch.ErrBusy):
		return door.Refuse(door.CodeUnavailable, "%s: try again, or upload without all_or_nothing", batch.ErrBusy).With("Retry-After", "5")
	}
	return deadletters.Refusal(err)
}

func ofRefusedUpload(e *batch.RefusedError) *door.RefusalError {
	r := door.Refuse(door.CodeRefused, "%d lines are bad and nothing was kept, as all_or_nothing=true asks; the first bad lines are in errors",
		e.Result.Invalid)
	for _, f := range e.Result.Faults {
		r.Faults = append(r.Faults, client.ProblemError{Pointer: f.Pointer, Code: f.Code, Detail: fmt.Sprintf("line %d: %s", f.Line, f.Detail)})
	}
	return r
}
