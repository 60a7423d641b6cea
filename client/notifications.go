package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Done reports whether nothing more will be sent unless somebody acts: every
// delivery has its outcome, or the notification was cancelled or dead-lettered.
func (n *Notification) Done() bool { return n.State.Final() }

// Send accepts a notification for delivery. When it returns without an error
// the notification is durable; it is not sent yet. Repeats within 72 hours with
// the same [WithIdempotencyKey] return the first answer. With
// Request.ValidateOnly nothing is accepted and the result has no id.
func (c *Client) Send(ctx context.Context, req Request, opts ...CallOption) (Notification, error) {
	return c.postNotification(ctx, "/v1/notifications", req, opts...)
}

// Notification returns how a notification stands now.
func (c *Client) Notification(ctx context.Context, id string) (Notification, error) {
	var n Notification
	err := c.do(ctx, get("/v1/notifications/"+url.PathEscape(id), nil), &n)
	return n, err
}

// Kind tells single notifications and batches apart.
type Kind string

// The kinds.
const (
	KindNotification Kind = "notification"
	KindBatch        Kind = "batch"
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{KindNotification, KindBatch} }

// NotificationFilter narrows a list of notifications; empty fields do not, and what is set
// must all hold.
type NotificationFilter struct {
	Labels []string  // "name=value", or "name" with any value
	States []State   // any of these
	Kind   Kind      // only notifications, or only batches
	Since  time.Time // accepted then or later
	Until  time.Time // accepted before
	Sender string    // exactly as [Notification.Sender] shows it
	App    string    // by name; default for those that name none
	Title  string    // a part of the title, in capitals or not
	// PageSize is how many are fetched at once, 1..1000; 0 is the server's choice.
	PageSize int
}

func (f NotificationFilter) query() url.Values {
	q := limited(url.Values{}, f.PageSize)
	for _, l := range f.Labels {
		q.Add("label", l)
	}
	for _, s := range f.States {
		q.Add("state", string(s))
	}
	for name, text := range map[string]string{"kind": string(f.Kind), "sender": f.Sender, "app": f.App, "title": f.Title} {
		if text != "" {
			q.Set(name, text)
		}
	}
	for name, at := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !at.IsZero() {
			q.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}

// Notifications returns those of the tenant's notifications and batches that the
// filter chooses, newest first, as they stand. Pages are fetched as they are needed;
// stop ranging to stop fetching. An error is the last pair.
func (c *Client) Notifications(ctx context.Context, f NotificationFilter) iter.Seq2[Notification, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]Notification, string, error) {
		return list[Notification](ctx, c, "/v1/notifications", f.query(), cursor)
	})
}

// DeliveryFilter narrows a list of deliveries; empty fields do not.
type DeliveryFilter struct {
	Class Class // such as sent, permanent or open; failed for all that ended and was not sent
	Code  Code  // such as fcm.unregistered
}

func (f DeliveryFilter) query() url.Values {
	q := url.Values{}
	if f.Class != "" {
		q.Set("class", string(f.Class))
	}
	if f.Code != "" {
		q.Set("code", string(f.Code))
	}
	return q
}

// Deliveries returns one row per recipient of a notification or batch, in the
// order of the plan, page by page. An error is the last pair.
func (c *Client) Deliveries(ctx context.Context, id string, f DeliveryFilter) iter.Seq2[Delivery, error] {
	path := "/v1/notifications/" + url.PathEscape(id) + "/deliveries"
	return pages(ctx, func(ctx context.Context, cursor string) ([]Delivery, string, error) {
		return list[Delivery](ctx, c, path, limited(f.query(), largestPage), cursor)
	})
}

// Cancel ends a notification: what is still open is cancelled. A notification
// that has ended already is a [*Problem] with status 409.
func (c *Client) Cancel(ctx context.Context, id string) (Notification, error) {
	return c.postNotification(ctx, "/v1/notifications/"+url.PathEscape(id)+"/cancel", nil)
}

// Pause holds back what is not sent yet of a notification or batch, until
// [Client.Resume]. One that has ended is a [*Problem] with status 409.
func (c *Client) Pause(ctx context.Context, id string) (Notification, error) {
	return c.postNotification(ctx, "/v1/notifications/"+url.PathEscape(id)+"/pause", nil)
}

// ResumeOptions says how to go on.
type ResumeOptions struct {
	// BrakeOff holds nothing of it any more, whatever FCM answers.
	BrakeOff bool
}

// Resume goes on with a notification or batch that is held or
// paused. One that has ended is a [*Problem] with status 409.
func (c *Client) Resume(ctx context.Context, id string, o ResumeOptions) (Notification, error) {
	cl, err := post("/v1/notifications/"+url.PathEscape(id)+"/resume", nil)
	if err != nil {
		return Notification{}, err
	}
	if o.BrakeOff {
		cl.query = url.Values{"brake": {"off"}}
	}
	var n Notification
	err = c.do(ctx, cl, &n)
	return n, err
}

// Ready asks the server whether it wants work, once. It returns nil when it
// does, and a [*Problem] with status 503 when it is draining or something that
// it needs is not there.
func (c *Client) Ready(ctx context.Context) error {
	cl := get("/readyz", nil)
	cl.once = true // the answer is about now
	return c.do(ctx, cl, nil)
}

// Await asks for a notification or batch every interval until it is
// [Notification.Done], an error that waiting will not mend, or the end of ctx.
func (c *Client) Await(ctx context.Context, id string, interval time.Duration) (Notification, error) {
	for {
		n, err := c.Notification(ctx, id)
		if err == nil && n.Done() || err != nil && !transient(err) {
			return n, err
		}
		if err := sleep(ctx, interval); err != nil {
			return n, context.Cause(ctx)
		}
	}
}

func (c *Client) postNotification(ctx context.Context, path string, body any, opts ...CallOption) (Notification, error) {
	cl, err := post(path, body, opts...)
	if err != nil {
		return Notification{}, err
	}
	var n Notification
	err = c.do(ctx, cl, &n)
	return n, err
}

// del is a DELETE: repeating it changes nothing.
func del(path string) call {
	return call{method: http.MethodDelete, path: path, timeout: attemptTimeout}
}
