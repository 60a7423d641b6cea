package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// KindApproval is the kind of the documents of approvals; the name is the id.
const KindApproval = "approval"

// ApprovalTime is how long somebody has to approve, and then to act.
const ApprovalTime = time.Hour

// Action is what can need a second person.
type Action string

// The actions.
const (
	ActReplay     Action = "replay"            // of more letters than approve_replay_over
	ActDiscard    Action = "discard"           // of more letters than approve_discard_over
	ActCredential Action = "credential_change" //nolint:gosec // with approve_credential_change
)

// ApprovalState is where an approval stands.
type ApprovalState string

// The states.
const (
	ApprovalOpen     ApprovalState = "open"     // waits for a second person
	ApprovalApproved ApprovalState = "approved" // may be used once
	ApprovalRefused  ApprovalState = "refused"
	ApprovalUsed     ApprovalState = "used"
	ApprovalExpired  ApprovalState = "expired"
)

// Approval is leave for one request, given by another person than the one who makes it.
type Approval struct {
	ID     push.ID `json:"id"`
	Tenant string  `json:"tenant"`
	Action Action  `json:"action"`
	About  string  `json:"about"` // what would happen, for people
	// Request is a hash of the request that it is for: another one needs another approval.
	Request   string    `json:"request"`
	AskedBy   string    `json:"asked_by"`
	AskedAt   time.Time `json:"asked_at"`
	ExpiresAt time.Time `json:"expires_at"`
	DecidedBy string    `json:"decided_by,omitempty"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	Refused   bool      `json:"refused,omitempty"`
	UsedAt    time.Time `json:"used_at,omitzero"`
}

// State returns where it stands at a time.
func (a *Approval) State(now time.Time) ApprovalState {
	switch {
	case !a.UsedAt.IsZero():
		return ApprovalUsed
	case a.Refused:
		return ApprovalRefused
	case !now.Before(a.ExpiresAt):
		return ApprovalExpired
	case !a.DecidedAt.IsZero():
		return ApprovalApproved
	}
	return ApprovalOpen
}

// Act is a request that may need a second person.
type Act struct {
	Action  Action
	About   string // for who is to approve it
	Request []byte // what tells this request from any other
}

func (a *Act) hash(tenant string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{tenant, string(a.Action), string(a.Request)}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// FreeUpTo returns how many things a tenant's settings let one person act on; a negative
// number is any. An app that was deleted has its tenant's settings.
func (d *Directory) FreeUpTo(ctx context.Context, tenant, app string, action Action) (int64, error) {
	e, err := d.Effective(ctx, tenant, app)
	if errors.Is(err, push.ErrNotFound) {
		e, err = d.Effective(ctx, tenant, DefaultName)
	}
	if err != nil {
		return 0, err
	}
	limit := int64(-1)
	switch action {
	case ActReplay:
		limit = *e.ApproveReplayOver
	case ActDiscard:
		limit = *e.ApproveDiscardOver
	case ActCredential:
		if *e.ApproveCredentialChange {
			return 0, nil
		}
	}
	if limit == 0 { // as the settings say never
		limit = -1
	}
	return limit, nil
}

// AskApproval records that a caller wants to do something that needs a second person. Who
// asks twice for the same gets the same approval, as long as it is open or approved.
func (d *Directory) AskApproval(ctx context.Context, c *Caller, act *Act) (Approval, error) {
	now, request := d.now(), act.hash(c.Tenant)
	open, err := every(ctx, d, KindApproval, func(a *Approval) bool {
		s := a.State(now)
		return a.Tenant == c.Tenant && a.Request == request && a.AskedBy == c.Name && (s == ApprovalOpen || s == ApprovalApproved)
	})
	if err != nil || len(open) > 0 {
		return first(open), err
	}
	a := Approval{
		ID: push.NewID(push.PrefixApproval), Tenant: c.Tenant, Action: act.Action, About: act.About, Request: request, AskedBy: c.Name,
		AskedAt: now, ExpiresAt: now.Add(ApprovalTime),
	}
	return a, d.save(ctx, KindApproval, string(a.ID), 1, a)
}

func first(all []Approval) Approval {
	if len(all) == 0 {
		return Approval{}
	}
	return all[0]
}

// Approval returns one of a tenant, or push.ErrNotFound.
func (d *Directory) Approval(ctx context.Context, tenant string, id push.ID) (Approval, error) {
	a, err := load[Approval](ctx, d, KindApproval, string(id))
	if err == nil && a.Value.Tenant != tenant {
		return Approval{}, push.ErrNotFound
	}
	return a.Value, err
}

// Approvals returns those of a tenant, the newest first. It reads the approvals of all
// tenants; [Directory.ForgetApprovals] keeps them few.
func (d *Directory) Approvals(ctx context.Context, tenant string) ([]Approval, error) {
	all, err := every(ctx, d, KindApproval, func(a *Approval) bool { return a.Tenant == tenant })
	slices.SortFunc(all, func(a, b Approval) int { return b.AskedAt.Compare(a.AskedAt) })
	return all, err
}

// errSamePerson says that somebody would approve what he asked for.
var errSamePerson = push.Faults{{
	Code: push.FaultConflict, Detail: "it takes a second person: not who asked, nor a key that this one made, or that was made since",
}}

// Decide approves, or refuses, what somebody else asked for. Who asked may refuse, too.
func (d *Directory) Decide(ctx context.Context, c *Caller, id push.ID, approve bool) (Approval, error) {
	a, err := d.Approval(ctx, c.Tenant, id)
	if err != nil {
		return a, err
	}
	if approve {
		if err := d.second(ctx, c, &a); err != nil {
			return a, err
		}
	}
	return change(ctx, d, KindApproval, string(id), func(a *Approval) error {
		now := d.now()
		if s := a.State(now); s != ApprovalOpen {
			return &push.StateError{ID: id, State: string(s), Op: "decide"}
		}
		a.DecidedBy, a.DecidedAt, a.Refused = c.Name, now, !approve
		return nil
	})
}

// second returns an error if a caller may be the one who asked.
func (d *Directory) second(ctx context.Context, c *Caller, a *Approval) error {
	if c.Name == a.AskedBy || c.Name == Anonymous {
		return errSamePerson
	}
	if c.Key == "" { // of the settings
		return nil
	}
	k, err := d.Key(ctx, c.Tenant, c.Key)
	switch {
	case err != nil:
		return err
	case k.CreatedBy == a.AskedBy, k.CreatedAt.After(a.AskedAt):
		return errSamePerson
	}
	return nil
}

// UseApproval takes an approval for a request: it is used up, whatever comes of the request. The error is
// push.ErrNotFound, a *push.StateError, or [push.Faults] if it is for another request.
func (d *Directory) UseApproval(ctx context.Context, c *Caller, id push.ID, act *Act) error {
	if _, err := d.Approval(ctx, c.Tenant, id); err != nil {
		return err
	}
	_, err := change(ctx, d, KindApproval, string(id), func(a *Approval) error {
		now := d.now()
		if a.Request != act.hash(c.Tenant) {
			return push.Faults{{Code: push.FaultConflict, Detail: string(id) + " was given for another request: leave it out to ask for this one"}}
		}
		if s := a.State(now); s != ApprovalApproved {
			return &push.StateError{ID: id, State: string(s), Op: "use"}
		}
		a.UsedAt = now
		return nil
	})
	return err
}

// ForgetApprovals removes those that ended before a time, and returns how many.
func (d *Directory) ForgetApprovals(ctx context.Context, before time.Time) (int, error) {
	old, err := every(ctx, d, KindApproval, func(a *Approval) bool { return a.ExpiresAt.Before(before) })
	if err != nil {
		return 0, err
	}
	for i := range old {
		v, err := load[Approval](ctx, d, KindApproval, string(old[i].ID))
		if err == nil {
			err = d.docs.DeleteDocument(ctx, KindApproval, string(old[i].ID), v.Version)
		}
		if err != nil && !errors.Is(err, push.ErrNotFound) && !errors.Is(err, push.ErrConflict) {
			return i, fmt.Errorf("forget approval %s: %w", old[i].ID, err)
		}
	}
	return len(old), nil
}
