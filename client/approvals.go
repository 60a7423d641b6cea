package client

import (
	"context"
	"net/url"
	"time"
)

// headerApproval names the approval that a request has.
const headerApproval = "Belfry-Approval"

// CodeApprovalRequired is the code of the [Problem] that answers a request that a second
// person has to approve. Its detail names the approval.
const CodeApprovalRequired = "approval_required"

// ApprovalState is where an [Approval] stands.
type ApprovalState string

// The states of an approval.
const (
	ApprovalOpen     ApprovalState = "open"
	ApprovalApproved ApprovalState = "approved"
	ApprovalRefused  ApprovalState = "refused"
	ApprovalUsed     ApprovalState = "used"
	ApprovalExpired  ApprovalState = "expired"
)

// ApprovalStates lists them.
func ApprovalStates() []ApprovalState {
	return []ApprovalState{ApprovalOpen, ApprovalApproved, ApprovalRefused, ApprovalUsed, ApprovalExpired}
}

// Approval is leave for one dangerous request, which a second person gives.
type Approval struct {
	ID        string        `json:"id" doc:"of the approval"`
	State     ApprovalState `json:"state" doc:"where it stands"`
	Action    string        `json:"action" doc:"what kind of request it is for: replay, discard or credential_change"`
	About     string        `json:"about" doc:"what would happen"`
	AskedBy   string        `json:"asked_by" doc:"who wants to do it"`
	AskedAt   time.Time     `json:"asked_at" doc:"when it was asked for"`
	ExpiresAt time.Time     `json:"expires_at" doc:"until when it can be approved, and used"`
	DecidedBy string        `json:"decided_by,omitempty" doc:"who approved or refused it"`
	DecidedAt *time.Time    `json:"decided_at,omitempty" doc:"when"`
	UsedAt    *time.Time    `json:"used_at,omitempty" doc:"when the request was made with it"`
}

// ApprovalList is all approvals of a tenant, the newest first.
type ApprovalList struct {
	Items []Approval `json:"items" doc:"the approvals"`
}

// Approved returns a client whose requests bring an approval: give it to the one request that
// it was given for.
func (c *Client) Approved(id string) *Client {
	own := *c
	own.approval = id
	return &own
}

func approvalPath(id, rest string) string { return "/v1/approvals/" + url.PathEscape(id) + rest }

// Approvals returns what second persons have to decide on, and decided, the newest first.
func (c *Client) Approvals(ctx context.Context) ([]Approval, error) {
	var list ApprovalList
	err := c.do(ctx, get("/v1/approvals", nil), &list)
	return list.Items, err
}

// Approval returns one.
func (c *Client) Approval(ctx context.Context, id string) (Approval, error) {
	var a Approval
	err := c.do(ctx, get(approvalPath(id, ""), nil), &a)
	return a, err
}

// Approve approves what somebody else asked for.
func (c *Client) Approve(ctx context.Context, id string) (Approval, error) {
	return c.decide(ctx, id, "/approve")
}

// Refuse refuses what was asked for.
func (c *Client) Refuse(ctx context.Context, id string) (Approval, error) {
	return c.decide(ctx, id, "/refuse")
}

func (c *Client) decide(ctx context.Context, id, how string) (Approval, error) {
	cl, err := post(approvalPath(id, how), nil)
	if err != nil {
		return Approval{}, err
	}
	var a Approval
	err = c.do(ctx, cl, &a)
	return a, err
}
