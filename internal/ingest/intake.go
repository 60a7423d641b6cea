// Package ingest is the first room: it accepts send requests. Both doors, the
// HTTP API and the event queue, end in [Intake.Accept]: validate, deduplicate,
// record, enqueue. The record in the ledger is the acceptance; the [Sweeper] sends what a
// crash or an absent queue left un-enqueued.
package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/internal/worker"
)

// ErrKeyReused says that an idempotency key came again with another request.
var ErrKeyReused = errors.New("the idempotency key was used before, with another request")

// ErrOtherApp says that a request names another app than the one that its caller is limited to.
var ErrOtherApp = errors.New("the caller is limited to another app")

// Recorder is the part of the ledger that acceptance needs.
type Recorder interface {
	// Create stores the notification unless its id exists; it returns what is
	// stored now and whether this call stored it.
	Create(ctx context.Context, n push.Notification) (push.Notification, bool, error)
	// Notification returns a notification, or push.ErrNotFound.
	Notification(ctx context.Context, id push.ID) (push.Notification, error)
}

// Apps knows the apps of the tenants and the settings that hold for them. It is asked with
// every request, and remembers what it reads.
type Apps interface {
	// Of returns the settings that hold for an app, "" for the default one, or push.ErrNotFound
	// if the tenant does not have it, or is no more.
	Of(ctx context.Context, tenant, app string) (access.Effective, error)
}

// Quotas count what is accepted.
type Quotas interface {
	// Accept counts something that is about to be accepted, a batch without its recipients. later says that nothing was
	// counted, and that it is to be accepted as deferred. The error is a [*push.OverQuotaError], or that the quotas are
	// not known.
	Accept(ctx context.Context, c push.Charge, batch bool) (later bool, err error)
	// Undo takes back what was counted of something that was not accepted, or not anew.
	Undo(ctx context.Context, c push.Charge)
}

// Submission is one request as it came in.
type Submission struct {
	Tenant      string
	App         string // the caller is limited to this app; "" for all of the tenant's
	Key         string // idempotency key, "" for none
	Body        []byte // JSON of the request
	Batch       bool   // a batch: no target, recipients follow by upload
	TraceParent string // W3C, of the request; one that isn't is ignored
	Sender      string // who asks: an API key by name, or the source of an event
	// Happened is the time of the event that asks for the notification; zero for a
	// request, which is made now. An event may have waited on a queue, so its ttl counts
	// from this time, and a deadline in the past is no fault: the notification is recorded
	// and ends as expired. A future time counts as now.
	Happened time.Time
	// Entry returns what the audit log is to say of the submission, once it has led to a new notification. Nil: the caller
	// sees to that alone.
	Entry func(push.ID) audit.Entry
}

// Witness stores a notification and the audit log's entry of it: both, or neither.
type Witness interface {
	// CreateRecorded is Create of [Recorder]; the entry is stored if the notification is by this call.
	CreateRecorded(ctx context.Context, n push.Notification, e audit.Entry) (push.Notification, bool, error)
}

// Accepted is the result of a submission.
type Accepted struct {
	Notification push.Notification
	Replayed     bool // the key was seen before; this is the first request's notification
	ValidateOnly bool // checked, and nothing recorded
	InAudit      bool // the submission's entry is in the audit log
	Warnings     push.Faults
}

// Intake accepts submissions. Safe for concurrent use.
type Intake struct {
	ledger  Recorder
	outbox  *Outbox
	apps    Apps
	quotas  Quotas                   // nil: there are none
	witness Witness                  // nil: entries are stored apart
	tell    func(*push.Notification) // nil: nobody is told of what is accepted
	log     *zap.Logger
	metrics *Metrics
	now     func() time.Time
}

// Within has what is accepted counted against quotas. It is called before the first Accept.
func (in *Intake) Within(q Quotas) *Intake {
	in.quotas = q
	return in
}

// Telling has f told of what is accepted, once it is durable. f must be quick. It is called before the first Accept.
func (in *Intake) Telling(f func(n *push.Notification)) *Intake {
	in.tell = f
	return in
}

// Before has entries of the audit log stored together with what they are about: one wait for the disk instead of two. It is
// called before the first Accept.
func (in *Intake) Before(w Witness) *Intake {
	in.witness = w
	return in
}

// NewIntake returns an intake that records in ledger what names an app that apps knows, and
// enqueues through outbox.
func NewIntake(ledger Recorder, outbox *Outbox, apps Apps, log *zap.Logger, metrics *Metrics, now func() time.Time) *Intake {
	return &Intake{ledger: ledger, outbox: outbox, apps: apps, log: log, metrics: metrics, now: now}
}

// Accept validates, deduplicates, records and enqueues one submission: one
// durable write before it returns. Errors are [push.Faults] for a bad body,
// [ErrKeyReused], a [*push.OverQuotaError], or the ledger's own; a queue that is away is no error.
func (in *Intake) Accept(ctx context.Context, s Submission) (Accepted, error) {
	now := in.now().UTC()
	if _, err := telemetry.ParseTraceParent(s.TraceParent); err != nil {
		// It travels with every chunk, so it must not be anything of any length. One trace is needed
		// all the same: by its id the lines of the log about a notification are found.
		s.TraceParent = telemetry.NewTraceParent(false).String()
	}
	req, err := in.read(&s, now)
	if err == nil {
		err = s.limit(&req)
	}
	var keep int
	if err == nil {
		keep, err = in.settle(ctx, s.Tenant, &req)
	}
	if _, faulty := errors.AsType[push.Faults](err); faulty {
		return in.refuse(ctx, &s, err)
	}
	if err != nil {
		return Accepted{}, err
	}
	n := notificationOf(&s, &req, now)
	n.Progress.KeepDays = keep
	if req.ValidateOnly {
		return Accepted{Notification: n, ValidateOnly: true, Warnings: req.Warnings}, nil
	}
	c := n.Charge()
	if err := in.count(ctx, &n, c); err != nil {
		if got, failed := in.earlier(ctx, &s); failed != nil || got.Replayed {
			return got, failed // a repeat asks for nothing more
		}
		return Accepted{}, err
	}
	stored, created, inAudit, err := in.create(ctx, &s, n)
	if err != nil || !created {
		in.discount(ctx, &n, c)
	}
	if err != nil {
		return Accepted{}, fmt.Errorf("record %s: %w", n.ID, err)
	}
	if !created {
		if !s.repeats(&stored) {
			return Accepted{}, ErrKeyReused
		}
		return Accepted{Notification: stored, Replayed: true, Warnings: req.Warnings}, nil
	}
	if in.tell != nil {
		in.tell(&stored)
	}
	in.metrics.accept(&stored, in.now().Sub(now))
	if !s.Batch {
		in.outbox.Push(stored)
	}
	return Accepted{Notification: stored, InAudit: inAudit, Warnings: req.Warnings}, nil
}

// create records a notification, if possible with the entry of it.
func (in *Intake) create(ctx context.Context, s *Submission, n push.Notification,
) (stored push.Notification, created, inAudit bool, err error) {
	if in.witness == nil || s.Entry == nil {
		stored, created, err = in.ledger.Create(ctx, n)
		return stored, created, false, err
	}
	stored, created, err = in.witness.CreateRecorded(ctx, n, s.Entry(n.ID))
	return stored, created, created, err
}

// read checks the request, its deadline last: only the deadline depends on the time.
func (in *Intake) read(s *Submission, now time.Time) (request.Request, error) {
	req, err := request.DecodeRequest(s.Body, s.Batch, time.Time{})
	switch {
	case err != nil:
	case s.Happened.IsZero():
		err = req.CheckDeadline(now)
	default:
		err = req.CheckReach(now)
	}
	return req, err
}

// limit gives a request the app that its caller is limited to, or refuses it with
// [ErrOtherApp].
func (s *Submission) limit(req *request.Request) error {
	switch {
	case s.App == "":
	case req.AppGiven && push.AppName(req.App) != s.App:
		return ErrOtherApp
	case s.App != push.DefaultApp:
		req.App = s.App
	}
	return nil
}

// settle gives a request what holds for its app where it says nothing, and refuses, as
// [push.Faults], an app that the tenant does not have. It returns for how many days the notification is
// kept, 0 if nobody set that.
func (in *Intake) settle(ctx context.Context, tenant string, req *request.Request) (keep int, _ error) {
	if in.apps == nil { // as in tests of other things
		return 0, nil
	}
	e, err := in.apps.Of(ctx, tenant, req.App)
	switch {
	case errors.Is(err, push.ErrNotFound) && req.App != "":
		return 0, push.Faults{{
			Pointer: "/app", Code: push.FaultValue,
			Detail: fmt.Sprintf("there is no app %q: create it, or leave app out for the default one", req.App),
		}}
	case err != nil:
		return 0, fmt.Errorf("look for the app: %w", err)
	}
	if req.TTL == 0 && req.ExpiresAt.IsZero() && e.From["ttl"] != access.FromBuiltin && e.TTL != nil {
		req.TTL = time.Duration(*e.TTL) * time.Second
	}
	if !req.PriorityGiven && e.Priority != nil {
		req.Priority = *e.Priority
	}
	if !req.GuaranteeGiven && e.Guarantee != nil {
		req.Guarantee = *e.Guarantee
	}
	if e.From["keep_days"] != access.FromBuiltin && e.KeepDays != nil {
		keep = int(max(*e.KeepDays, access.LeastKeepDays))
	}
	return keep, nil
}

// repeats reports whether a submission asks for the same once more: by the same tenant, with
// the same body, and by a caller who may know of it.
func (s *Submission) repeats(stored *push.Notification) bool {
	return stored.Tenant == s.Tenant && stored.Fingerprint == s.fingerprint() && (s.App == "" || push.AppName(stored.App) == s.App)
}

// refuse refuses a request, unless it repeats one that was accepted: that one was right
// when it came, and the caller only asks for its result. While the ledger is away, a
// repeat must not be called faulty.
func (in *Intake) refuse(ctx context.Context, s *Submission, why error) (Accepted, error) {
	got, err := in.earlier(ctx, s)
	if err != nil || got.Replayed {
		return got, err
	}
	in.metrics.refused.Inc()
	return Accepted{}, why
}

// earlier returns what was accepted before of a request that is refused now, or nothing.
func (in *Intake) earlier(ctx context.Context, s *Submission) (Accepted, error) {
	if s.Key == "" {
		return Accepted{}, nil
	}
	stored, err := in.ledger.Notification(ctx, s.id())
	switch {
	case err == nil && s.repeats(&stored):
		return Accepted{Notification: stored, Replayed: true}, nil
	case err != nil && !errors.Is(err, push.ErrNotFound):
		return Accepted{}, fmt.Errorf("look for an earlier request: %w", err)
	}
	return Accepted{}, nil
}

// count counts a notification against its quotas, or has it deferred.
func (in *Intake) count(ctx context.Context, n *push.Notification, c push.Charge) (err error) {
	if in.quotas != nil {
		n.Deferred, err = in.quotas.Accept(ctx, c, n.ID.IsBatch())
	}
	return err
}

// discount takes back what was counted of a notification that is a repeat, or was not recorded as far as is known. If it
// was recorded all the same, it is not counted: better so than that an outage uses a quota up.
func (in *Intake) discount(ctx context.Context, n *push.Notification, c push.Charge) {
	if in.quotas != nil && !n.Deferred {
		in.quotas.Undo(context.WithoutCancel(ctx), c)
	}
}

// id returns the id of the notification: with a key always the same.
func (s *Submission) id() push.ID {
	prefix := push.PrefixNotification
	if s.Batch {
		prefix = push.PrefixBatch
	}
	if s.Key == "" {
		return push.NewID(prefix)
	}
	return push.DerivedID(prefix, s.Tenant, s.Key)
}

func (s *Submission) fingerprint() string {
	sum := sha256.Sum256(s.Body)
	return hex.EncodeToString(sum[:16])
}

// deadline returns when an event expires; zero for a request, whose ttl begins
// with its acceptance.
func (s *Submission) deadline(req *request.Request, now time.Time) time.Time {
	if s.Happened.IsZero() || !req.ExpiresAt.IsZero() {
		return req.ExpiresAt
	}
	const oldest = 366 * 24 * time.Hour // whatever is older has expired as well, and every store can keep this
	from := s.Happened.UTC()
	if from.After(now) {
		from = now
	}
	if earliest := now.Add(-oldest); from.Before(earliest) {
		from = earliest
	}
	if req.TTL > 0 {
		return from.Add(req.TTL)
	}
	return from.Add(push.DefaultTTL)
}

func notificationOf(s *Submission, req *request.Request, now time.Time) push.Notification {
	state, pages := push.StateAccepted, 1
	if s.Batch {
		state, pages = push.StateUploading, 0
	}
	return push.Notification{
		ID: s.id(), Tenant: s.Tenant, App: req.App, Target: req.Target, Message: req.Message, Priority: req.Priority, Guarantee: req.Guarantee,
		CollapseID: req.CollapseID, Labels: req.Labels, AcceptedAt: now, TTL: req.TTL, ExpiresAt: s.deadline(req, now), PerSecond: req.PerSecond,
		TraceParent: s.TraceParent, Fingerprint: s.fingerprint(), Keyed: s.Key != "", Sender: s.Sender,
		Progress: push.Progress{Version: 1, State: state, Sources: int64(req.Target.Count()), Pages: pages},
	}
}

// taskFor returns the queue message that starts a notification.
func taskFor(n *push.Notification) (worker.Outgoing, error) {
	body, err := wire.EncodeTask(wire.Task{Op: wire.OpPlan, Notification: n.ID, Page: wire.AllPages, TraceParent: n.TraceParent})
	return worker.Outgoing{Body: body, Group: n.Tenant}, err
}
