package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// The states that a caller acts on; the others pass by themselves.
const (
	StateUploading    = "uploading"
	StatePaused       = "paused"
	StateCompleted    = "completed"
	StateCancelled    = "cancelled"
	StateDeadLettered = "dead_lettered"
)

// Done tells whether nothing more will be sent unless somebody acts: every
// delivery has its outcome, or the notification was cancelled or dead-lettered.
func (n *Notification) Done() bool {
	return n.State == StateCompleted || n.State == StateCancelled || n.State == StateDeadLettered
}

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

// Notifications returns the tenant's notifications, newest first. pageSize is
// how many are fetched at once (0: the server's choice); stop ranging to stop
// fetching. An error is the last pair.
func (c *Client) Notifications(ctx context.Context, pageSize int) iter.Seq2[Notification, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]Notification, string, error) {
		return list[Notification](ctx, c, "/v1/notifications", limited(url.Values{}, pageSize), cursor)
	})
}

// DeliveryFilter narrows a list of deliveries; empty fields do not.
type DeliveryFilter struct {
	Class string // such as sent, permanent or open
	Code  string // such as fcm.unregistered
}

func (f DeliveryFilter) query() url.Values {
	q := url.Values{}
	if f.Class != "" {
		q.Set("class", f.Class)
	}
	if f.Code != "" {
		q.Set("code", f.Code)
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
