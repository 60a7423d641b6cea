package door

import (
	"context"
	"time"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/push"
)

// HeaderApproval names the approval that a request has.
const HeaderApproval = "Belfry-Approval"

// Approvals says which requests need a second person. Safe for concurrent use.
type Approvals interface {
	// FreeUpTo returns how many things one person may act on; a negative number is any.
	FreeUpTo(ctx context.Context, tenant, app string, action access.Action) (int64, error)
	AskApproval(ctx context.Context, c *access.Caller, act *access.Act) (access.Approval, error)
	UseApproval(ctx context.Context, c *access.Caller, id push.ID, act *access.Act) error
}

var _ Approvals = (*access.Directory)(nil)

// Approve returns nil if the caller may do what it is about to do, which is used up then if it
// needed a second person's approval. Otherwise the refusal says how to get one. request is what
// tells this request from any other; size returns on how many things it acts and what it is,
// and is only called where that matters.
func (x *Exchange) Approve(ctx context.Context, action access.Action, request []byte,
	size func(context.Context) (int64, string, error),
) error {
	return x.ApproveFor(ctx, x.Tenant, x.Who.App, action, request, size)
}

// ApproveFor is [Exchange.Approve] where the settings of another tenant and app decide than the caller's.
func (x *Exchange) ApproveFor(ctx context.Context, tenant, app string, action access.Action, request []byte,
	size func(context.Context) (int64, string, error),
) error {
	approvals := x.door.cfg.Approvals
	if approvals == nil {
		return nil
	}
	free, err := approvals.FreeUpTo(ctx, tenant, app, action)
	if err != nil || free < 0 {
		return err
	}
	n, about, err := size(ctx)
	if err != nil || n <= free {
		return err
	}
	act := access.Act{Action: action, About: about, Request: request}
	if given := x.Request.Header.Get(HeaderApproval); given != "" {
		id, err := push.ParseID(given, push.PrefixApproval)
		if err != nil {
			return forget(Refuse(CodeApproval, "%s: %s", HeaderApproval, err))
		}
		if err := approvals.UseApproval(ctx, &x.Who, id, &act); err != nil {
			return forget(Refuse(CodeApproval, "the approval %s can't be used: %s", id, x.RefusalOf(err).Detail).By(err))
		}
		return nil
	}
	a, err := approvals.AskApproval(ctx, &x.Who, &act)
	if err != nil {
		return err
	}
	const how = "a second person has to approve this by %s: belfry approval approve %s; then repeat it with the header %s: %s"
	return forget(Refuse(CodeApproval, how, a.ExpiresAt.UTC().Format(time.RFC3339), a.ID, HeaderApproval, a.ID))
}

// forget lets a repeat with the same Idempotency-Key execute.
func forget(r *RefusalError) *RefusalError {
	r.Memory = Forgotten
	return r
}
