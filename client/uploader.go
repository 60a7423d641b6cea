package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// The bounds of one part of an upload. Two megabytes are a dozen round trips
// for 100,000 recipients, and little to send again after a broken connection.
const (
	partBytes   = 2 << 20
	partLines   = 10_000
	partTimeout = 2 * time.Minute
	maxFaults   = 100 // kept of all refused lines, as the server does for one upload
)

// Recipient is one line of a batch. Exactly one of Token, FID, UserID and
// DeviceID is set; the rest is for this recipient alone.
type Recipient struct {
	Token      string            `json:"token,omitempty"`
	FID        string            `json:"fid,omitempty"`
	UserID     string            `json:"user_id,omitempty"`
	DeviceID   string            `json:"device_id,omitempty"`
	Data       map[string]string `json:"data,omitempty"`        // merged over message.data
	Locale     string            `json:"locale,omitempty"`      // as the client reports it
	CollapseID string            `json:"collapse_id,omitempty"` // instead of the batch's
}

// Uploader sends recipients to a batch in parts, each with the number of its
// first line. A part whose answer is lost is sent again, and the server skips
// the lines that it has, so every line counts once however often the connection
// breaks. Memory use is one part. It is for one goroutine.
type Uploader struct {
	c        *Client
	batch    string
	progress func(UploadResult)
	compress Compression
	header   []byte // of CSV, with its line break; nil for NDJSON

	next  int64 // number of the first line in buf
	buf   []byte
	ends  []int // end of each line in buf, after its newline
	total UploadResult
}

// Uploader returns an uploader for the batch. offset is the number that the
// first line will have, from 1: with 1, a whole upload may be repeated from its
// beginning after a crash. [WithUploadProgress], [WithCompression] and
// [WithCSVHeader] adjust it.
func (c *Client) Uploader(batchID string, offset int64, opts ...CallOption) *Uploader {
	o := gather(opts)
	return &Uploader{c: c, batch: batchID, next: max(offset, 1), progress: o.progress, compress: o.compress, header: o.csvHeader}
}

// Add appends a recipient; now and then it sends a part.
func (u *Uploader) Add(ctx context.Context, r Recipient) error {
	if u.header != nil {
		return errors.New("an uploader with a CSV header takes records, by AddLine")
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a recipient: %w", err)
	}
	return u.AddLine(ctx, line)
}

// AddLine appends a line as it is: a JSON object without a line break or, with
// [WithCSVHeader], a CSV record. The server judges it; a bad one is refused by
// number and keeps its number, as an empty one does, which is passed over.
func (u *Uploader) AddLine(ctx context.Context, line []byte) error {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if u.header == nil && bytes.IndexByte(line, '\n') >= 0 {
		return errors.New("a recipient's line must not have a line break inside")
	}
	if len(u.ends) > 0 && (len(u.ends) == partLines || len(u.buf)+len(line)+1 > partBytes) {
		if _, err := u.Flush(ctx); err != nil {
			return err
		}
	}
	u.buf = append(append(u.buf, line...), '\n')
	u.ends = append(u.ends, len(u.buf))
	return nil
}

// Flush sends what is left and returns the totals: lines accepted (and how many
// of them are duplicates), refused (the first 100 with their faults) and skipped
// since the uploader was made, and the watermark. After an error the unsent lines are kept and Flush may be called
// again.
func (u *Uploader) Flush(ctx context.Context) (UploadResult, error) {
	for len(u.ends) > 0 {
		last := u.next + int64(len(u.ends)) - 1
		res, err := u.send(ctx)
		if err != nil {
			return u.total, fmt.Errorf("upload lines %d to %d: %w", u.next, last, err)
		}
		if res.Watermark < u.next {
			return u.total, fmt.Errorf("upload lines %d to %d: the server answered, but has lines up to %d only", u.next, last, res.Watermark)
		}
		u.count(res)
		u.drop(int(min(res.Watermark, last) - u.next + 1))
		if u.progress != nil {
			u.progress(u.total)
		}
	}
	return u.total, nil
}

// send uploads the part in hand. Of a server that does not take the
// compression it is sent again without, as all that follow.
func (u *Uploader) send(ctx context.Context) (UploadResult, error) {
	part := call{body: u.buf, timeout: partTimeout}
	o := UploadOptions{Offset: u.next, CSV: u.header != nil}
	if o.CSV {
		part.body = slices.Concat(u.header, u.buf)
	}
	if u.compress.Encode == nil {
		return u.c.upload(ctx, u.batch, part, o)
	}
	plain := part.body
	part.body, o.Encoding = u.compress.Encode(plain, nil), u.compress.Name
	res, err := u.c.upload(ctx, u.batch, part, o)
	if p, ok := errors.AsType[*Problem](err); !ok || p.Status != http.StatusUnsupportedMediaType {
		return res, err
	}
	u.compress = Compression{}
	part.body, o.Encoding = plain, ""
	return u.c.upload(ctx, u.batch, part, o)
}

// Total returns the totals so far, as Flush does, without sending.
func (u *Uploader) Total() UploadResult { return u.total }

func (u *Uploader) count(res UploadResult) {
	u.total.Accepted += res.Accepted
	u.total.Duplicates += res.Duplicates
	u.total.Invalid += res.Invalid
	u.total.Skipped += res.Skipped
	u.total.Watermark = res.Watermark
	room := max(0, maxFaults-len(u.total.Errors))
	u.total.Errors = append(u.total.Errors, res.Errors[:min(room, len(res.Errors))]...)
	u.total.Warned += res.Warned
	room = max(0, maxFaults-len(u.total.Warnings))
	u.total.Warnings = append(u.total.Warnings, res.Warnings[:min(room, len(res.Warnings))]...)
}

// drop forgets the first n lines of the buffer: they are durable.
func (u *Uploader) drop(n int) {
	cut := u.ends[n-1]
	u.buf = u.buf[:copy(u.buf, u.buf[cut:])]
	u.ends = u.ends[:copy(u.ends, u.ends[n:])]
	for i := range u.ends {
		u.ends[i] -= cut
	}
	u.next += int64(n)
}
