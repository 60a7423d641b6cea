package httpapi

import (
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// stateValid is the state of what was checked only. It is no push.State: there
// is nothing that could be in it.
const stateValid = "valid"

// acceptedView shows a notification as it was when it was accepted. It uses
// what never changes and nothing else, so that a repeat of the request, however
// late, gets the same body.
func acceptedView(n *push.Notification) client.Notification {
	first := *n
	first.Progress = push.Progress{State: push.StateAccepted, Sources: int64(n.Target.Count())}
	if n.ID.IsBatch() {
		first.Progress.State = push.StateUploading
	}
	return plainView(&first)
}

// plainView shows a notification without asking the ledger's lines.
func plainView(n *push.Notification) client.Notification {
	v := client.Notification{
		ID: string(n.ID), State: string(n.Progress.State), Priority: string(n.Priority), Labels: n.Labels,
		AcceptedAt: n.AcceptedAt, StartedAt: timeOrNil(n.Progress.StartedAt), CompletedAt: timeOrNil(n.Progress.CompletedAt),
		Recipients: n.Progress.Sources, Links: links(n.ID),
	}
	if !n.ID.IsBatch() {
		v.ExpiresAt = timeOrNil(n.Deadline())
		return v
	}
	v.Received, v.Invalid, v.Duplicates = new(n.Progress.Watermark), new(n.Progress.Invalid), new(n.Progress.Duplicates)
	v.Blank = n.Progress.Watermark - n.Progress.Sources - n.Progress.Invalid
	v.UploadOpen = n.Progress.Early
	if n.Progress.UncheckedFrom > 0 {
		v.UncheckedFrom = new(n.Progress.UncheckedFrom)
	}
	v.UploadURL = v.Links.Recipients
	if n.PerSecond > 0 {
		v.Throttle = &client.Throttle{PerSecond: n.PerSecond}
	}
	// Before its start, a batch's TTL has not begun; a fixed time stands from the
	// beginning.
	if !n.Progress.StartedAt.IsZero() || !n.ExpiresAt.IsZero() {
		v.ExpiresAt = timeOrNil(n.Deadline())
	}
	return v
}

func links(id push.ID) client.Links {
	deliveries := "/v1/notifications/" + string(id) + "/deliveries"
	if !id.IsBatch() {
		self := "/v1/notifications/" + string(id)
		return client.Links{Self: self, Deliveries: deliveries, Events: self + "/events", Cancel: self + "/cancel"}
	}
	self := "/v1/batches/" + string(id)
	return client.Links{Self: self, Deliveries: deliveries, Events: self + "/events", Recipients: self + "/recipients", Start: self + "/start", Cancel: self + "/cancel"}
}

// fullView shows a notification with its counts and, for a batch, its speed.
func fullView(r *report.View, now time.Time) client.Notification {
	v := plainView(&r.Notification)
	v.State = string(r.State)
	v.Recipients = r.Accepted
	v.Counts = countsView(r)
	v.FirstOutcomeAt, v.LastOutcomeAt = timeOrNil(r.Counts.FirstAt), timeOrNil(r.Counts.LastAt)
	if v.CompletedAt == nil && r.State == push.StateCompleted {
		v.CompletedAt = v.LastOutcomeAt // known from the lines, not recorded yet
	}
	if r.Notification.ID.IsBatch() {
		v.Rate, v.ETASeconds = speed(r, now)
	}
	return v
}

// countsView sums outcomes by class. A code that is no outcome counts as open,
// and so does one that this program does not know: the sum is right even then.
func countsView(r *report.View) *client.Counts {
	c := &client.Counts{
		Accepted: r.Accepted, Open: r.Open, ByCode: map[string]int64{}, PossibleDuplicates: r.Counts.PossibleDuplicates,
	}
	for i, n := range r.Counts.ByCode {
		code := push.Code(i)
		if n == 0 || code == push.CodeOpen {
			continue
		}
		if !code.Terminal() {
			c.Open += n
			continue
		}
		*classCount(c, code.Class()) += n
		c.ByCode[code.String()] += n
	}
	return c
}

func classCount(c *client.Counts, class push.Class) *int64 {
	switch class {
	case push.ClassSent:
		return &c.Sent
	case push.ClassPermanent:
		return &c.Permanent
	case push.ClassAmbiguous:
		return &c.Ambiguous
	case push.ClassSuppressed:
		return &c.Suppressed
	case push.ClassExpired:
		return &c.Expired
	case push.ClassCancelled:
		return &c.Cancelled
	case push.ClassDeadLettered:
		return &c.DeadLettered
	case push.ClassOpen, push.ClassRetryable:
	}
	return &c.Open
}

// speed returns outcomes per second since the first activity, and how many
// seconds the open deliveries would take at that rate; nil where there is
// nothing to tell.
func speed(r *report.View, now time.Time) (rate, eta *float64) {
	until := now
	if r.State.Final() {
		until = r.Counts.LastAt
	}
	took := until.Sub(r.Counts.FirstAt).Seconds()
	done := r.Counts.Terminal()
	if r.Counts.FirstAt.IsZero() || done <= 0 || took <= 0 {
		return nil, nil
	}
	perSecond := float64(done) / took
	// A throttled batch is accepted until its last page is planned. While an
	// upload goes on, nobody knows what is still to come.
	going := r.State == push.StateSending || r.State == push.StateAccepted && !r.Notification.Progress.Early
	if going && r.Open > 0 {
		eta = new(float64(r.Open) / perSecond)
	}
	return &perSecond, eta
}

func deliveryView(d *report.Delivery) client.Delivery {
	v := client.Delivery{
		Line: d.Line, Chunk: d.Chunk, Index: d.Index, Class: d.Code.Class().String(), Code: d.Code.String(),
		PossibleDuplicate: d.PossibleDuplicate, DuplicateOf: d.DuplicateOf, AddressHash: hashText(d.Hash),
	}
	for i := range d.Attempts {
		if a := &d.Attempts[i]; !a.Decided() {
			v.Attempts = append(v.Attempts, attemptView(a))
		}
	}
	if a := d.Reason(); a != nil {
		v.Detail = a.Detail
	}
	return v
}

func attemptView(t *ledger.Attempt) client.Attempt {
	return client.Attempt{
		Attempt: t.Attempt, At: t.At, Code: t.Code.String(), LatencyMS: float64(t.Latency) / float64(time.Millisecond), Detail: t.Detail,
	}
}

// hashText is the hash's 8 bytes in hex, "" where there was no address.
func hashText(h uint64) string {
	if h == 0 {
		return ""
	}
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[h&0xf]
		h >>= 4
	}
	return string(b[:])
}

// timeOrNil is nil for a time that is not set.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
