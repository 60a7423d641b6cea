package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// Options say how an upload's lines fit into the batch.
type Options struct {
	// Offset is the number of the stream's first line in the whole upload, from
	// 1; lines up to the durable watermark are skipped, so that repeating an upload
	// changes nothing. 0 appends after the watermark; that cannot be repeated, so
	// continue with an offset after an error.
	Offset int64
	// AllOrNothing refuses every line of the stream if one is bad, or if the
	// stream breaks off. Its lines are held in memory meanwhile.
	AllOrNothing bool
	// Format of the stream; the zero value is NDJSON.
	Format Format
}

// LineFault is what is wrong with one line.
type LineFault struct {
	Line int64 // number in the whole upload, from 1
	push.Fault
}

// Result is the result of a stream's lines. Accepted, Invalid and Skipped add up to the
// lines that are durable now; only in a [RefusedError] does Invalid count lines that are
// not.
type Result struct {
	Accepted int64 // good, and durable now
	// Duplicates counts the lines of Accepted whose recipient an earlier line of the
	// batch names: they are kept, and end as suppressed.
	Duplicates int64
	Invalid    int64 // refused
	Skipped    int64 // blank, or durable before this upload came to them
	Watermark  int64 // number of the last durable line; go on with the next
	// Faults are the first hundred refused lines, and lines that an earlier
	// upload has stored with other content (conflict; that one is kept).
	Faults []LineFault
	// Warned counts this upload's lines that were taken without a value that is not
	// understood, such as a locale; Warnings are the first hundred.
	Warned   int64
	Warnings []LineFault
}

const maxFaults = 100

func (r *Result) warn(line int64, f push.Fault) {
	r.Warned++
	if len(r.Warnings) < maxFaults {
		r.Warnings = append(r.Warnings, LineFault{line, f})
	}
}

func (r *Result) fault(line int64, f push.Fault) {
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, LineFault{line, f})
	}
}

// GapError says that an upload begins beyond the next line.
type GapError struct {
	Offset    int64 // where it begins
	Watermark int64 // the line before the one that is due
}

// Error implements error.
func (e *GapError) Error() string {
	return fmt.Sprintf("the upload begins at line %d, but lines are durable up to %d only: go on at %d", e.Offset, e.Watermark, e.Watermark+1)
}

// RefusedError says that an all-or-nothing upload had bad lines, so that
// nothing of it was taken.
type RefusedError struct{ Result Result }

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("nothing was taken: %d bad lines", e.Result.Invalid)
}

// Upload reads recipients, one a line, and makes them durable page by page;
// memory does not grow with the stream. Blank lines are skipped, but counted, so that line
// numbers are the file's. A bad line is refused by itself. A page is stored first, and then
// announced by the notification's progress; if a crash leaves a page unannounced, the next
// upload that comes to its place takes it over.
//
// A recipient that an earlier line of the batch names, in this or another upload, is marked
// as its duplicate when its page is stored.
//
// The Result is valid with an error as well. Errors are push.ErrNotFound,
// [push.StateError], [GapError], [RefusedError], [ErrBusy], a [*push.OverQuotaError], [push.Faults] for options out
// of range or a bad header row, a store's error, or the stream's: then the whole lines
// before it are durable (none, with AllOrNothing).
//
// If a store fails while an all-or-nothing upload is being announced, a part of it may be
// durable; the Result's watermark says which.
func (b *Batches) Upload(ctx context.Context, tenant string, id push.ID, r io.Reader, o Options) (Result, error) {
	u, err := b.begin(ctx, tenant, id, o)
	if err != nil {
		return Result{}, err
	}
	defer u.forget()
	defer func() { b.spools.Add(-int64(u.spooled)) }()
	err = u.read(ctx, o.Format.lines(r))
	u.finish()
	if u.cfg.Changed != nil && u.res.Accepted+u.res.Invalid > 0 {
		u.cfg.Changed(Uploaded, &u.n)
	}
	return u.res, err
}

// upload is one running Upload.
type upload struct {
	*Batches

	n       push.Notification // as last seen in the ledger
	atomic  bool
	appends bool // the lines' numbers follow the watermark, wherever it is
	res     Result

	next    int64             // number of the stream's next line
	draft   *draft            // being filled; nil when nothing waits
	spool   []*draft          // all-or-nothing: full ones
	spooled int               // about the bytes of spool and draft
	adopted *wire.UploadPage  // the last page of another upload that was found in the way
	seen    *remembered       // the batch's recipients, once a page is to be marked
	sizes   *message.Personal // of the batch's message with a line's own data, once a line has any
	most    int               // recipients of a page
	gap     int64             // as seen.gap was when the last page was marked
}

func (b *Batches) begin(ctx context.Context, tenant string, id push.ID, o Options) (*upload, error) {
	if o.Offset < 0 {
		return nil, push.Faults{{Code: push.FaultValue, Detail: fmt.Sprintf("offset must be at least 1, the first line (got %d)", o.Offset)}}
	}
	if !id.IsBatch() {
		return nil, fmt.Errorf("upload to %s: %w: not a batch", id, push.ErrNotFound)
	}
	n, err := b.cfg.Ledger.Notification(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	if err := owned(&n, tenant); err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	if !uploadable(&n.Progress) {
		return nil, illegal(&n, n.Progress.State, opUpload)
	}
	w := n.Progress.Watermark
	u := &upload{Batches: b, n: n, atomic: o.AllOrNothing, appends: o.Offset == 0, next: o.Offset}
	if u.most, err = b.largest(ctx, &n); err != nil {
		return nil, err
	}
	if u.appends {
		u.next = w + 1
	}
	if u.next > w+1 {
		return nil, &GapError{Offset: o.Offset, Watermark: w}
	}
	return u, nil
}

// read takes the stream to its end. Lines before an error of the stream are made durable
// as well.
func (u *upload) read(ctx context.Context, in lines) error {
	for {
		if u.due(in) {
			if err := u.seal(ctx); err != nil {
				return err
			}
		}
		err := in.next()
		switch {
		case err == nil:
			err = u.take(ctx, in)
		case errors.Is(err, io.EOF):
			return u.end(ctx)
		case u.atomic:
			return err
		default:
			return errors.Join(err, u.flush(ctx))
		}
		if err != nil {
			return err
		}
	}
}

// due reports whether the lines in hand have waited for others long enough. It looks at the
// clock only if the stream would block, so a fast stream pays nothing.
func (u *upload) due(in lines) bool {
	const patience = time.Second
	return u.draft != nil && !u.atomic && !in.ready() && u.cfg.Now().Sub(u.draft.begun) >= patience
}

// take accounts for the current line of in.
func (u *upload) take(ctx context.Context, in lines) error {
	u.next++
	if u.durable() {
		u.pass(in)
		return nil
	}
	r, fault := u.decode(in)
	if u.atomic && (fault != nil || u.res.Invalid > 0) {
		u.refuseAll(fault)
		return nil
	}
	if u.draft != nil && u.draft.full(&u.cfg, u.most, r, fault) {
		if err := u.seal(ctx); err != nil {
			return err
		}
		if u.durable() { // a page that was found in the way covers it too
			u.passRead(r, fault)
			return nil
		}
	}
	if u.draft == nil {
		u.draft = newDraft(u.next-1, u.cfg.Now())
	}
	u.draft.add(u.next-1, r, fault)
	if u.atomic {
		return u.spoolMore(weight(r, nil))
	}
	return nil
}

// decode reads the current line of in. It refuses a line whose data make the batch's
// message larger than FCM takes.
func (u *upload) decode(in lines) (*push.Recipient, *push.Fault) {
	r, fault := in.decode()
	if r == nil {
		return nil, fault
	}
	if fault != nil {
		u.res.warn(u.next-1, *fault)
	}
	if !r.HasOverrides() {
		return r, nil
	}
	if u.sizes == nil {
		tree, _ := message.Decode(u.n.Message) // should it be damaged, whoever encodes it says so for all lines
		u.sizes = message.NewPersonal(tree, u.n.Delivery())
	}
	if faults := u.sizes.Check(r.Override); len(faults) > 0 {
		return nil, &push.Fault{
			Code: faults[0].Code, Detail: "the batch's message with what this line overrides: " + faults[0].Pointer + " " + faults[0].Detail,
		}
	}
	if platform, n := u.sizes.Sizes(r.Data, r.CollapseID, r.Override).Largest(); n > message.Limit {
		pointer, what := "/data", "data"
		if !r.Override.IsZero() && len(r.Data) == 0 {
			pointer, what = "/notification", "notification"
		}
		return nil, &push.Fault{
			Pointer: pointer, Code: push.FaultTooLarge,
			Detail: "the batch's message with this line's " + what + " " + message.TooLarge(platform, n, message.Limit),
		}
	}
	return r, nil
}

// durable reports whether the line that was read last is durable already. An appended line
// never is: its number is provisional until its page is announced.
func (u *upload) durable() bool { return !u.appends && u.next-1 <= u.n.Progress.Watermark }

// seal ends the page in hand, and the upload if its caller is gone.
func (u *upload) seal(ctx context.Context) error {
	if !u.atomic {
		if err := u.flush(ctx); err != nil {
			return err
		}
		return context.Cause(ctx)
	}
	u.spool = append(u.spool, u.draft)
	u.draft = nil
	return nil
}

// flush makes the lines in hand durable.
func (u *upload) flush(ctx context.Context) error {
	if u.draft == nil {
		return nil
	}
	d := u.draft
	u.draft = nil
	return u.commit(ctx, []*draft{d})
}

// refuseAll refuses an all-or-nothing upload; its rest is read only to report faults.
func (u *upload) refuseAll(f *push.Fault) {
	u.spool, u.draft = nil, nil
	if f != nil {
		u.res.Invalid++
		u.res.fault(u.next-1, *f)
	}
}

// spoolMore bounds what an all-or-nothing upload keeps in memory.
func (u *upload) spoolMore(bytes int) error {
	const row = 160 // what a push.Recipient takes besides its strings
	u.spooled += bytes + row
	all := u.spools.Add(int64(bytes + row))
	switch {
	case u.spooled <= u.cfg.SpoolBytes && all <= spoolsAtOnce*int64(u.cfg.SpoolBytes):
		return nil
	case u.spooled <= u.cfg.SpoolBytes:
		return ErrBusy
	}
	return push.Faults{
		{
			Code: push.FaultTooLarge,
			Detail: fmt.Sprintf(
				"all_or_nothing takes at most about %d MiB of recipients: upload without it, where good lines are kept and bad ones reported",
				u.cfg.SpoolBytes>>20),
		},
	}
}

// end accounts for the end of the stream.
func (u *upload) end(ctx context.Context) error {
	if !u.atomic {
		return u.flush(ctx)
	}
	if u.res.Invalid > 0 {
		u.finish()
		return &RefusedError{Result: u.res}
	}
	if u.draft != nil {
		u.spool = append(u.spool, u.draft)
	}
	return u.commit(ctx, u.spool)
}

func (u *upload) finish() { u.res.Watermark = u.n.Progress.Watermark }
