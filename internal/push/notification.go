package push

import (
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/message"
)

// Priority chooses the lane a notification waits in. It is Belfry's own and
// independent of android.priority and apns-priority inside the message.
type Priority string

// The priorities.
const (
	PriorityHigh   Priority = "high"   // always the high lane
	PriorityNormal Priority = "normal" // high lane up to NormalHighRecipients, else bulk
	PriorityBulk   Priority = "bulk"   // always the bulk lane
)

// NormalHighRecipients is up to how many recipients a notification of normal
// priority takes the high lane.
const NormalHighRecipients = 1000

// Lane is the queue on which a notification's chunks travel.
type Lane string

// The lanes.
const (
	LaneHigh Lane = "high"
	LaneBulk Lane = "bulk"
	// LaneReplay carries dead letters that are sent again, so that live traffic
	// does not wait behind them. No notification takes it by itself.
	LaneReplay Lane = "replay"
)

// Lanes lists every lane, the most urgent first.
func Lanes() []Lane { return []Lane{LaneHigh, LaneBulk, LaneReplay} }

// Guarantee says what happens to a delivery that may or may not have happened.
type Guarantee string

// The delivery guarantees.
const (
	AtLeastOnce Guarantee = "at_least_once" // tried again, flagged possible_duplicate
	AtMostOnce  Guarantee = "at_most_once"  // ends as unknown
)

// DefaultTTL is how long a notification may wait when its request said nothing.
const DefaultTTL = 24 * time.Hour

// State is where a notification stands. Legal transitions are in [CanMove].
type State string

// The states of a notification. A batch begins as uploading, any other as accepted.
const (
	StateUploading    State = "uploading"     // batch: recipients may still be added; nothing is sent
	StateAccepted     State = "accepted"      // durable; not yet planned into chunks
	StateSending      State = "sending"       // chunks are planned and under way
	StatePaused       State = "paused"        // batch: planned chunks wait for resume
	StateHeld         State = "held"          // derived, never stored: accepted or sending, and a part waits for an operator; see [Holds]
	StateCompleted    State = "completed"     // every delivery has its outcome
	StateCancelled    State = "cancelled"     // what was open is cancelled
	StateDeadLettered State = "dead_lettered" // could not be expanded; waits for an operator
)

// Final reports whether no transition leaves the state.
func (s State) Final() bool { return len(transitions[s]) == 0 }

//nolint:gochecknoglobals // the state machine's table; read-only
var transitions = map[State][]State{
	StateUploading:    {StateAccepted, StateCancelled},
	StateAccepted:     {StateSending, StatePaused, StateCompleted, StateCancelled, StateDeadLettered},
	StateSending:      {StatePaused, StateCompleted, StateCancelled, StateDeadLettered},
	StateHeld:         {StatePaused, StateCompleted, StateCancelled, StateDeadLettered},
	StatePaused:       {StateSending, StateAccepted, StateCompleted, StateCancelled},
	StateDeadLettered: {StateAccepted, StateCancelled},
	StateCompleted:    nil,
	StateCancelled:    nil,
}

// CanMove reports whether a notification may go from one state to another.
func CanMove(from, to State) bool {
	return slices.Contains(transitions[from], to)
}

// Notification is one accepted request: what to deliver, to whom, until when.
// A batch is a notification whose recipients arrive by upload (its Target is
// empty and its id has the prefix "bat").
type Notification struct {
	ID         ID                `json:"id"`
	Tenant     string            `json:"tenant"`
	App        string            `json:"app,omitempty"` // of the tenant; "" is [DefaultApp]
	Target     Target            `json:"target,omitzero"`
	Message    Message           `json:"message"`
	Priority   Priority          `json:"priority"`
	Guarantee  Guarantee         `json:"guarantee"`
	CollapseID string            `json:"collapse_id,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	AcceptedAt time.Time         `json:"accepted_at"`
	// TTL counts from AcceptedAt, for a batch from its start. ExpiresAt, when
	// set, wins.
	TTL         time.Duration `json:"ttl,omitempty"`
	ExpiresAt   time.Time     `json:"expires_at,omitzero"`
	PerSecond   int           `json:"per_second,omitempty"`  // batch: recipients sent to in a second, at most; 0 is unlimited
	TraceParent string        `json:"traceparent,omitempty"` // W3C, of the request
	Fingerprint string        `json:"fingerprint,omitempty"` // hash of the request body, for idempotency
	Keyed       bool          `json:"keyed,omitempty"`       // its id was derived from an idempotency key
	Deferred    bool          `json:"deferred,omitempty"`    // nothing of it is counted against quotas before it is planned: each page is then
	Sender      string        `json:"sender,omitempty"`      // who asked: an API key by name, or an event's source; "" if not recorded

	Progress Progress `json:"progress"`
}

// Progress is the part of a notification that changes. It is written as one
// value, conditional on Version, so two writers never overwrite each other.
type Progress struct {
	Version     int64     `json:"version"`
	State       State     `json:"state"`
	StartedAt   time.Time `json:"started_at,omitzero"`   // batch: start was called
	CompletedAt time.Time `json:"completed_at,omitzero"` // last outcome seen, cancelled, or dead-lettered
	// Enqueued is false while the notification waits for its message on the
	// queue: the outbox that a sweeper empties.
	Enqueued bool `json:"enqueued"`
	// Sources is how many addresses, users or upload lines were accepted; one
	// user may become several recipients.
	Sources int64 `json:"sources"`
	Invalid int64 `json:"invalid,omitempty"` // upload lines refused
	// Pages is how many pages of recipients there are: 1 for an inline target.
	Pages int `json:"pages"`
	// Watermark is the number of upload lines that are durable, good or bad.
	Watermark int64 `json:"watermark,omitempty"`
	// Duplicates is how many of Sources repeat an earlier upload line. They are
	// planned as suppressed.
	Duplicates int64 `json:"duplicates,omitempty"`
	// UncheckedFrom is the first upload line whose repetitions may have gone
	// unnoticed, because there was no memory to remember it; 0 if there is none.
	UncheckedFrom int64 `json:"unchecked_from,omitempty"`
	// Early says that a batch is sent while it is being uploaded: recipients may
	// still be added, and it does not complete, until its upload is declared
	// finished or its deadline passes.
	Early bool `json:"early,omitempty"`
	// Generation counts resumes. What releases a batch step by step carries the
	// one under which it began, and ends when it finds another.
	Generation int `json:"generation,omitempty"`
	// Held are the parts that wait for an operator, and BrakeOff says that one wants
	// no more of them. A resume, which raises Generation, lets everybody go.
	Held     Holds `json:"held,omitzero"`
	BrakeOff bool  `json:"brake_off,omitempty"`
	// Finished says of a notification that is cancelled or dead-lettered that
	// nothing of it is open any more. One that is completed is so by its state.
	Finished bool `json:"finished,omitempty"`
	// KeepDays is for how many days after its last change the notification is kept at most; 0: as
	// long as the store keeps what nobody bounded. It is settled at acceptance, and stands here
	// because every write of the head needs it.
	KeepDays int `json:"keep_days,omitempty"`
	// Reconciled counts how often in a row messages of the notification were sent
	// anew because they seemed lost, and ReconciledAt is when that was last.
	Reconciled   int       `json:"reconciled,omitempty"`
	ReconciledAt time.Time `json:"reconciled_at,omitzero"`
}

// Unfinished reports whether something of the notification may be open that
// somebody has to see to its end. An upload waits for its caller alone.
func (p *Progress) Unfinished() bool {
	switch p.State {
	case StateUploading, StateCompleted:
		return false
	case StateCancelled, StateDeadLettered:
		return !p.Finished
	case StateAccepted, StateSending, StateHeld, StatePaused:
		return true
	default: // of a newer program
		return true
	}
}

// Charge returns what accepting the notification counts against quotas; of a batch, its recipients do when they come.
func (n *Notification) Charge() Charge {
	c := Charge{Tenant: n.Tenant, App: n.App, Notifications: 1}
	if !n.ID.IsBatch() {
		c.Recipients, c.Queued = n.Progress.Sources, n.Progress.Sources
	}
	return c
}

// PageCharge returns what a page of a deferred notification counts when it is planned, a tenth more or less of a
// batch whose upload goes on: pages are about alike, and those of a batch sum up to all of it.
func (n *Notification) PageCharge(page int) Charge {
	pages, all := int64(max(1, n.Progress.Pages)), n.Progress.Sources
	k := int64(page)
	some := all*(k+1)/pages - all*k/pages
	c := Charge{Tenant: n.Tenant, App: n.App, Recipients: some, Queued: some}
	if page == 0 {
		c.Notifications = 1
	}
	return c
}

// AppName returns the name of the app whose credential the notification is sent with.
func (n *Notification) AppName() string { return AppName(n.App) }

// Deadline returns the time after which nothing of the notification is sent.
func (n *Notification) Deadline() time.Time {
	if !n.ExpiresAt.IsZero() {
		return n.ExpiresAt
	}
	from := n.AcceptedAt
	if !n.Progress.StartedAt.IsZero() {
		from = n.Progress.StartedAt
	}
	ttl := n.TTL
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	return from.Add(ttl)
}

// Delivery returns what the notification adds to its message when it goes out.
// The deadline goes out only if the caller gave a ttl or expires_at: the default
// one bounds how long Belfry tries, and what FCM has taken then lives as long as
// FCM's own default.
func (n *Notification) Delivery() message.Delivery {
	d := message.Delivery{ID: string(n.ID), CollapseID: n.CollapseID, High: n.Priority == PriorityHigh}
	if n.TTL > 0 || !n.ExpiresAt.IsZero() {
		d.Deadline = n.Deadline()
	}
	return d
}

// Outgoing returns the message as it would go out at the time now, without its
// target.
func (n *Notification) Outgoing(now time.Time) (Message, error) {
	tree, err := message.Decode(n.Message)
	if err != nil {
		return nil, err
	}
	complete, _ := message.Complete(tree, n.Delivery(), now)
	return message.Encode(complete)
}

// Lane returns the lane that the notification's chunks take.
func (n *Notification) Lane() Lane {
	switch n.Priority {
	case PriorityHigh:
		return LaneHigh
	case PriorityBulk:
		return LaneBulk
	case PriorityNormal:
		if n.Progress.Sources <= NormalHighRecipients && !n.Progress.Early {
			return LaneHigh
		}
	}
	return LaneBulk
}
