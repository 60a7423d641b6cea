package client

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

func batchPath(id, rest string) string { return "/v1/batches/" + url.PathEscape(id) + rest }

// CreateBatch opens a batch for upload. req.To must be nil: the recipients
// follow, by [Client.UploadRecipients] or an [Uploader]. Nothing is sent before
// [Client.StartBatch].
func (c *Client) CreateBatch(ctx context.Context, req Request, opts ...CallOption) (Notification, error) {
	return c.postNotification(ctx, "/v1/batches", req, opts...)
}

// Batch returns how a batch stands now.
func (c *Client) Batch(ctx context.Context, id string) (Notification, error) {
	var n Notification
	err := c.do(ctx, get(batchPath(id, ""), nil), &n)
	return n, err
}

// StartBatch ends the upload and begins to send, unless [Client.StartBatchEarly]
// did; the batch's ttl counts from the first of the two.
func (c *Client) StartBatch(ctx context.Context, id string) (Notification, error) {
	return c.postNotification(ctx, batchPath(id, "/start"), nil)
}

// PauseBatch holds back what is not sent yet, until [Client.ResumeBatch].
func (c *Client) PauseBatch(ctx context.Context, id string) (Notification, error) {
	return c.postNotification(ctx, batchPath(id, "/pause"), nil)
}

// ResumeBatch goes on with a batch that is paused or held; see [Client.Resume].
func (c *Client) ResumeBatch(ctx context.Context, id string) (Notification, error) {
	return c.postNotification(ctx, batchPath(id, "/resume"), nil)
}

// CancelBatch ends a batch: what is still open is cancelled.
func (c *Client) CancelBatch(ctx context.Context, id string) (Notification, error) {
	return c.postNotification(ctx, batchPath(id, "/cancel"), nil)
}

// Report streams one row per recipient of a batch in one request, and without a
// filter one for every refused line of its upload behind them. If the
// connection breaks, the last pair carries the error; [Client.Deliveries] asks
// page by page instead and survives that.
func (c *Client) Report(ctx context.Context, id string, f DeliveryFilter) iter.Seq2[Delivery, error] {
	return lines[Delivery](func() (io.ReadCloser, error) {
		cl := get(batchPath(id, "/report"), f.query())
		cl.accept, cl.timeout = typeNDJSON, 0
		return c.open(ctx, cl)
	})
}

// InvalidLines streams the upload lines of a batch that were refused, all of
// them, in the order of their numbers.
func (c *Client) InvalidLines(ctx context.Context, id string) iter.Seq2[LineError, error] {
	return func(yield func(LineError, error) bool) {
		for d, err := range c.Report(ctx, id, DeliveryFilter{Class: ClassInvalid}) {
			if !yield(LineError{Line: d.Line, Pointer: d.Pointer, Code: string(d.Code), Detail: d.Detail}, err) || err != nil {
				return
			}
		}
	}
}

// UploadOptions says how a raw upload is to be read.
type UploadOptions struct {
	// Offset is the number of the first line, from 1. Lines that the server has
	// already are skipped, so uploading again changes nothing. 0 appends.
	Offset int64
	// AllOrNothing refuses the whole upload if one line is bad.
	AllOrNothing bool
	// CSV says that the stream is CSV with a header row, which is no line: the
	// record behind it has the number Offset. Otherwise it is NDJSON.
	CSV bool
	// Encoding says how the stream is compressed: gzip or zstd, or not at all.
	Encoding string
}

// UploadRecipients streams recipients to a batch in one request, of any size, sent once: a reader cannot be read
// twice. If the connection breaks, read Notification.Received from [Client.Batch] and call again with the rest and an
// offset of one more. An [Uploader] does this by itself.
func (c *Client) UploadRecipients(ctx context.Context, id string, r io.Reader, o UploadOptions) (UploadResult, error) {
	return c.upload(ctx, id, call{stream: r}, o)
}

func (c *Client) upload(ctx context.Context, id string, cl call, o UploadOptions) (UploadResult, error) {
	cl.method, cl.path, cl.contentType = http.MethodPost, batchPath(id, "/recipients"), typeNDJSON
	if o.CSV {
		cl.contentType = typeCSV
	}
	cl.encoding = o.Encoding
	cl.query = url.Values{}
	if o.Offset > 0 {
		cl.query.Set("offset", strconv.FormatInt(o.Offset, 10))
	}
	if o.AllOrNothing {
		cl.query.Set("all_or_nothing", "true")
	}
	var res UploadResult
	err := c.do(ctx, cl, &res)
	return res, err
}
