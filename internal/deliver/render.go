package deliver

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker"
)

// rendered is the shared message ready to send, or why it cannot be sent.
type rendered struct {
	tree     map[string]any // the message as it is stored; personal messages are made from it
	template message.Template
	code     push.Code // CodeOpen, or what every recipient ends with
	detail   string    // why, in words
}

// renderings are a message ready to send, without and with a deadline in it.
type renderings [2]atomic.Pointer[rendered]

func (r *renderings) of(limited bool) *atomic.Pointer[rendered] {
	if limited {
		return &r[1]
	}
	return &r[0]
}

// rendering encodes the shared message, once per notification and process. A message
// that cannot be encoded is a permanent failure of every recipient.
type rendering struct {
	*timing

	encoder Encoder
	metrics *Metrics
}

// run implements stage.
func (r *rendering) run(_ context.Context, j *job) (*worker.Verdict, error) {
	kept := j.head.renderings.of(!j.delivery(j.n, nil).Deadline.IsZero())
	j.shared = kept.Load()
	if j.shared == nil {
		j.shared = r.renderShared(j)
		kept.Store(j.shared)
	}
	if j.shared.code != push.CodeOpen {
		for _, cell := range j.chunk.Index {
			if j.lease.Line.Cells[cell].Open() && j.shared.detail != "" { // more than the code says: evidence without an attempt
				j.lease.Note(ledger.Attempt{Cell: cell, Code: j.shared.code, At: r.now(), Detail: clip(j.shared.detail)})
			}
		}
		j.settleAll(j.shared.code, r.now(), r.metrics)
	}
	return nil, nil
}

func (r *rendering) renderShared(j *job) *rendered {
	tree, err := message.Decode(j.message(j.n))
	if err != nil {
		return &rendered{code: push.CodePayloadInvalid, detail: err.Error()}
	}
	limit := message.Limit
	if !j.chunk.Recipients[0].Address.Kind.IsDevice() {
		limit = message.TopicLimit
	}
	complete, timed := message.Complete(tree, j.delivery(j.n, nil), r.now())
	if platform, n := message.Measure(complete).Largest(); n > limit {
		return &rendered{code: push.CodePayloadTooLarge, detail: message.TooLarge(platform, n, limit)}
	}
	t, err := r.encode(complete, timed)
	if err != nil {
		code := push.CodePayloadInvalid
		if e, ok := errors.AsType[*push.Error](err); ok && e.Code.Terminal() {
			code = e.Code
		}
		return &rendered{code: code, detail: reasonOf(err)}
	}
	return &rendered{tree: tree, template: t}
}

func (r *rendering) encode(complete map[string]any, timed message.Timed) (message.Template, error) {
	m, err := message.Encode(complete)
	if err != nil {
		return message.Template{}, err
	}
	encoded, err := r.encoder.Encode(m)
	if err != nil {
		return message.Template{}, err
	}
	return message.NewTemplate(encoded, timed)
}

// body appends the request for one recipient as of now. A personal message is encoded
// here; if it exceeds FCM's limit, the error's code is payload.too_large.
func (j *job) body(dst []byte, r *push.Recipient, now time.Time) ([]byte, error) {
	n := j.head.notification() // not j.n, which belongs to the window's goroutine
	kind, value := string(r.Address.Kind), r.Address.Value.Reveal()
	if !r.HasOverrides() {
		return j.shared.template.Append(dst, kind, value, j.deadlineBy(n), now), nil
	}
	complete, _ := message.Complete(j.shared.tree, j.delivery(n, r), now)
	if platform, size := message.Measure(complete).Largest(); size > message.Limit {
		return nil, &push.Error{
			Code: push.CodePayloadTooLarge, Detail: "with this recipient's data it " + message.TooLarge(platform, size, message.Limit),
		}
	}
	m, err := message.Encode(complete)
	if err != nil {
		return nil, &push.Error{Code: push.CodePayloadInvalid, Detail: err.Error()}
	}
	personal, err := message.NewTemplate(m, 0)
	if err != nil {
		return nil, &push.Error{Code: push.CodePayloadInvalid, Detail: err.Error()}
	}
	return personal.Append(dst, kind, value, time.Time{}, now), nil
}

// delivery returns what the notification adds to its message, for a recipient with
// overrides or, with nil, for all others. A replay's deadline goes out instead of the
// notification's.
func (j *job) delivery(n *push.Notification, r *push.Recipient) message.Delivery {
	d := n.Delivery()
	if !j.chunk.ExpiresAt.IsZero() {
		d.Deadline = j.chunk.ExpiresAt
	}
	if r != nil {
		d.Data, d.Override = r.Data, r.Override
		if r.CollapseID != "" {
			d.CollapseID = r.CollapseID
		}
	}
	return d
}

// reasonOf returns the words of an error for the evidence.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*push.Error](err); ok && e.Detail != "" {
		return e.Detail
	}
	return err.Error()
}

// clip cuts a reason to the length that the ledger keeps.
func clip(why string) string {
	const most = 300
	if len(why) <= most {
		return why
	}
	return strings.ToValidUTF8(why[:most-len("…")], "") + "…"
}
