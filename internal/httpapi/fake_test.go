package httpapi

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/request"
)

// fakeIntake checks bodies as the real one does and remembers keys.
type fakeIntake struct {
	now  func() time.Time
	fail error

	mu   sync.Mutex
	seen map[push.ID]push.Notification
	last ingest.Submission
}

func (f *fakeIntake) Accept(_ context.Context, s ingest.Submission) (ingest.Accepted, error) {
	req, err := request.DecodeRequest(s.Body, s.Batch, f.now())
	if err != nil || f.fail != nil {
		return ingest.Accepted{}, cmpErr(f.fail, err)
	}
	n := push.Notification{
		ID: push.DerivedID(map[bool]string{true: "bat", false: "ntf"}[s.Batch], s.Tenant, s.Key), Tenant: s.Tenant, Target: req.Target,
		Labels: req.Labels, Message: req.Message,
		Priority: req.Priority, AcceptedAt: f.now(), TTL: req.TTL, Fingerprint: string(s.Body),
		Progress: push.Progress{State: push.StateAccepted},
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = s
	if old, ok := f.seen[n.ID]; ok && s.Key != "" {
		if old.Fingerprint != n.Fingerprint {
			return ingest.Accepted{}, ingest.ErrKeyReused
		}
		old.Progress = push.Progress{State: push.StateSending, Sources: 7} // it has moved on since
		return ingest.Accepted{Notification: old, Replayed: true, Warnings: req.Warnings}, nil
	}
	f.seen[n.ID] = n
	return ingest.Accepted{Notification: n, ValidateOnly: req.ValidateOnly, Warnings: req.Warnings}, nil
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// fakeBatches counts lines and answers every operation with fn.
type fakeBatches struct {
	fn       func(op string, id push.ID) (push.Notification, error)
	upload   func(r io.Reader, o batch.Options) (batch.Result, error)
	uploaded batch.Options
}

func (f *fakeBatches) Upload(_ context.Context, _ string, _ push.ID, r io.Reader, o batch.Options) (batch.Result, error) {
	f.uploaded = o
	return f.upload(r, o)
}

func (f *fakeBatches) Start(_ context.Context, _ string, id push.ID) (push.Notification, error) {
	return f.fn("start", id)
}

func (f *fakeBatches) StartEarly(_ context.Context, _ string, id push.ID) (push.Notification, error) {
	return f.fn("start early", id)
}

func (f *fakeBatches) Pause(_ context.Context, _ string, id push.ID) (push.Notification, error) {
	return f.fn("pause", id)
}

func (f *fakeBatches) Resume(_ context.Context, _ string, id push.ID) (push.Notification, error) {
	return f.fn("resume", id)
}

func (f *fakeBatches) ResumeUnbraked(_ context.Context, _ string, id push.ID) (push.Notification, error) {
	return f.fn("resume unbraked", id)
}

func (f *fakeBatches) Cancel(_ context.Context, _ string, id push.ID) (push.Notification, error) {
	return f.fn("cancel", id)
}

// fakeReports has one view and a number of deliveries.
type fakeReports struct {
	view       report.View
	list       []report.View
	search     report.Search // of the last list
	deliveries int
	invalid    int
	failAt     int // the delivery whose page fails; 0 for none
	closeups   Closeups
}

func (f *fakeReports) Watch(ctx context.Context, tenant string, id push.ID, seen int64) (*report.Watch, error) {
	if f.closeups == nil {
		return nil, push.ErrNotFound
	}
	return f.closeups.Watch(ctx, tenant, id, seen)
}

func (f *fakeReports) Trace(ctx context.Context, tenant string, id push.ID, key report.Key) (report.Trace, error) {
	if f.closeups == nil {
		return report.Trace{}, push.ErrNotFound
	}
	return f.closeups.Trace(ctx, tenant, id, key)
}

func (f *fakeReports) Chosen(ctx context.Context, tenant string, id push.ID, what report.Choice, limit int) (report.Trace, error) {
	if f.closeups == nil {
		return report.Trace{}, push.ErrNotFound
	}
	return f.closeups.Chosen(ctx, tenant, id, what, limit)
}

func (f *fakeReports) Notification(_ context.Context, _ string, id push.ID) (report.View, error) {
	if id != f.view.Notification.ID {
		return report.View{}, push.ErrNotFound
	}
	return f.view, nil
}

func (f *fakeReports) Notifications(_ context.Context, _ string, s report.Search, cursor string, _ int) ([]report.View, string, error) {
	if cursor == "bad" {
		return nil, "", push.ErrCursor
	}
	f.search = s
	return f.list, "more", nil
}

func (f *fakeReports) Deliveries(_ context.Context, _ string, id push.ID, fl report.Filter, cursor string,
	limit int,
) ([]report.Delivery, string, error) {
	if id != f.view.Notification.ID {
		return nil, "", push.ErrNotFound
	}
	from, _ := strconv.Atoi(cursor)
	if f.failAt > 0 && from >= f.failAt {
		return nil, "", io.ErrClosedPipe
	}
	to := min(from+limit, f.deliveries)
	rows := make([]report.Delivery, 0, to-from)
	for i := from; i < to; i++ {
		rows = append(rows, report.Delivery{Line: int64(i + 1), Index: i, Code: fl.Code, Hash: uint64(i) << 40})
	}
	if to == f.deliveries {
		return rows, "", nil
	}
	return rows, strconv.Itoa(to), nil
}

func (f *fakeReports) Invalid(_ context.Context, _ string, id push.ID, cursor string, limit int) ([]report.Invalid, string, error) {
	if id != f.view.Notification.ID {
		return nil, "", push.ErrNotFound
	}
	from, _ := strconv.Atoi(cursor)
	to := min(from+limit, f.invalid)
	var rows []report.Invalid
	for i := from; i < to; i++ {
		rows = append(rows,
			report.Invalid{Line: int64(i + 1), Fault: push.Fault{Pointer: "/token", Code: push.FaultValue, Detail: "must not be empty"}})
	}
	if to == f.invalid {
		return rows, "", nil
	}
	return rows, strconv.Itoa(to), nil
}

func errDeadline() error { return context.DeadlineExceeded }
func errCanceled() error { return context.Canceled }

// failWith reads an upload to its end and then fails.
func failWith(err error) func(io.Reader, batch.Options) (batch.Result, error) {
	return func(r io.Reader, o batch.Options) (batch.Result, error) {
		res, readErr := countLines(r, o)
		res = batch.Result{Watermark: res.Watermark}
		return res, cmpErr(err, readErr)
	}
}
