package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// render encodes the shared message, once per notification and process. A
// message that can't be encoded is permanent for every recipient.
func (d *Deliver) render(_ context.Context, j *job) (*worker.Verdict, error) {
	r := j.head.template.Load()
	if r == nil {
		r = d.renderShared(j.n, j.message(j.n))
		j.head.template.Store(r)
	}
	if r.code != push.CodeOpen {
		d.settleRest(j, r.code)
	}
	return nil, nil
}

func (d *Deliver) renderShared(n *push.Notification, message push.Message) *rendered {
	m, err := push.Stabilize(message, n.ID, n.CollapseID, nil)
	if err != nil {
		return &rendered{code: push.CodePayloadInvalid, detail: err.Error()}
	}
	t, err := d.Encoder.Encode(m)
	if err != nil {
		code := push.CodePayloadInvalid
		if e, ok := errors.AsType[*push.Error](err); ok && e.Code.Terminal() {
			code = e.Code
		}
		return &rendered{code: code, detail: err.Error()}
	}
	return &rendered{template: t}
}

// body appends the request for one recipient. A personal message is encoded
// here; one that grew over FCM's limit is payload.too_large.
func (d *Deliver) body(dst []byte, j *job, r *push.Recipient) ([]byte, error) {
	if !r.HasOverrides() {
		return j.head.template.Load().template.Append(dst, r.Address), nil
	}
	n := j.head.notification() // not j.n, which belongs to the window's goroutine
	collapse := r.CollapseID
	if collapse == "" {
		collapse = n.CollapseID
	}
	m, err := push.Stabilize(j.message(n), n.ID, collapse, r.Data)
	if err != nil {
		return nil, &push.Error{Code: push.CodePayloadInvalid, Err: err}
	}
	if err := checkSize(m); err != nil {
		return nil, err
	}
	return push.NewTemplate(m).Append(dst, r.Address), nil
}

func checkSize(m push.Message) error {
	dec := json.NewDecoder(bytes.NewReader(m))
	dec.UseNumber()
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil {
		return &push.Error{Code: push.CodePayloadInvalid, Err: err}
	}
	if n := push.PayloadBytes(tree); n > push.MaxPayloadBytes {
		return &push.Error{Code: push.CodePayloadTooLarge, Detail: fmt.Sprintf("%d bytes with this recipient's data, at most %d", n, push.MaxPayloadBytes)}
	}
	return nil
}
