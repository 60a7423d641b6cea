package httpapi

import (
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// stateValid is the state of a request that was only checked. It is no push.State, because
// no notification is ever in it.
const stateValid = "valid"

// acceptedView shows a notification as it was when it was accepted. It uses only fields that
// never change, so that a repeat of the request gets the same body, however late.
func acceptedView(n *push.Notification) client.Notification {
	first := *n
	first.Progress = push.Progress{State: push.StateAccepted, Sources: int64(n.Target.Count()), KeepDays: n.Progress.KeepDays}
	if n.ID.IsBatch() {
		first.Progress.State = push.StateUploading
	}
	return plainView(&first)
}

// plainView shows a notification without asking the ledger's lines.
func plainView(n *push.Notification) client.Notification {
	v := client.Notification{
		ID: string(n.ID), State: client.State(n.Progress.State), Priority: client.Priority(n.Priority), Labels: n.Labels,
		Sender: n.Sender, App: n.App, Deferred: n.Deferred, KeepDays: n.Progress.KeepDays,
		AcceptedAt: n.AcceptedAt, StartedAt: views.Time(n.Progress.StartedAt), CompletedAt: views.Time(n.Progress.CompletedAt),
		Recipients: n.Progress.Sources, Links: links(n.ID), Held: holdsView(&n.Progress.Held), BrakeOff: n.Progress.BrakeOff,
	}
	if len(v.Held) > 0 && (n.Progress.State == push.StateAccepted || n.Progress.State == push.StateSending) {
		v.State = client.StateHeld
	}
	if !n.ID.IsBatch() {
		v.ExpiresAt = views.Time(n.Deadline())
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
		v.ExpiresAt = views.Time(n.Deadline())
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
	return client.Links{
		Self: self, Deliveries: deliveries, Events: self + "/events", Recipients: self + "/recipients", Start: self + "/start",
		Cancel: self + "/cancel",
	}
}

// fullView shows a notification with its counts and, for a batch, its speed.
func fullView(r *report.View, now time.Time) client.Notification {
	v := plainView(&r.Notification)
	v.State = client.State(r.State)
	v.Title = message.Title(r.Notification.Message)
	v.Recipients = r.Accepted
	v.Counts = countsView(r)
	v.Waiting = waitingView(r.Waiting)
	v.FirstOutcomeAt, v.LastOutcomeAt = views.Time(r.Counts.FirstAt), views.Time(r.Counts.LastAt)
	if v.CompletedAt == nil && r.State == push.StateCompleted {
		v.CompletedAt = v.LastOutcomeAt // known from the lines, not recorded yet
	}
	if r.Notification.ID.IsBatch() {
		v.Rate, v.ETASeconds = speed(r, now)
	}
	return v
}

func waitingView(w *report.Waiting) *client.Waiting {
	if w == nil {
		return nil
	}
	v := &client.Waiting{Reason: client.WaitReason(w.Reason), Until: views.Time(w.Until), Text: w.Text()}
	if w.Code != push.CodeOpen {
		v.Code = client.Code(w.Code.String())
	}
	return v
}

// countsView sums outcomes by class. A code that is no outcome, or that this program does
// not know, counts as open, so that the sum is always right.
func countsView(r *report.View) *client.Counts {
	c := &client.Counts{
		Accepted: r.Accepted, Open: r.Open, ByCode: map[client.Code]int64{}, PossibleDuplicates: r.Counts.PossibleDuplicates,
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
		c.ByCode[client.Code(code.String())] += n
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

// What an estimate needs, so that it means something.
const (
	rateLeast = time.Second     // since the first outcome
	etaLeast  = 2 * time.Second // likewise
	etaSends  = 20              // deliveries that were decided by sending, or etaShare of all
	etaShare  = 20
)

// speed returns how many deliveries a second were decided by sending since the first
// activity, and how many seconds the open ones would take at that rate; nil where there is
// nothing to tell. What Belfry decides by itself takes no time and says nothing of the rest.
func speed(r *report.View, now time.Time) (rate, eta *float64) {
	until := now
	if r.State.Final() {
		until = r.Counts.LastAt
	}
	took := until.Sub(r.Counts.FirstAt)
	done := sends(&r.Counts)
	if r.Counts.FirstAt.IsZero() || done <= 0 || took < rateLeast {
		return nil, nil
	}
	perSecond := float64(done) / took.Seconds()
	// A throttled batch is accepted until its last page is planned. While an upload goes
	// on, nobody knows what is still to come.
	going := r.State == push.StateSending || r.State == push.StateAccepted && !r.Notification.Progress.Early
	waits := r.Waiting != nil && r.Waiting.Reason != report.WaitPace
	enough := took >= etaLeast && (done >= etaSends || done*etaShare >= r.Accepted)
	if going && !waits && enough && r.Open > 0 {
		eta = new(float64(r.Open) / perSecond)
	}
	return &perSecond, eta
}

// sends returns how many deliveries have an outcome that FCM was asked for.
func sends(c *ledger.Counts) (n int64) {
	for class, count := range c.ByClass() {
		switch class {
		case push.ClassSent, push.ClassPermanent, push.ClassAmbiguous, push.ClassDeadLettered:
			n += count
		case push.ClassOpen, push.ClassRetryable, push.ClassSuppressed, push.ClassExpired, push.ClassCancelled:
		}
	}
	return n
}

func deliveryView(d *report.Delivery) client.Delivery {
	v := client.Delivery{
		Line: d.Line, Chunk: d.Chunk, Index: d.Index, Class: client.Class(d.Code.Class().String()), Code: client.Code(d.Code.String()),
		PossibleDuplicate: d.PossibleDuplicate, DuplicateOf: d.DuplicateOf, AddressHash: views.Hash(d.Hash),
		UserID: d.UserID, DeviceID: string(d.DeviceID),
	}
	for i := range d.Attempts {
		if a := &d.Attempts[i]; !a.Decided() {
			v.Attempts = append(v.Attempts, views.Attempt(a))
		}
	}
	if a := d.Reason(); a != nil {
		v.Detail = a.Detail
	}
	return v
}
