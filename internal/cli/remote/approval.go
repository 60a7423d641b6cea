package remote

import (
	"context"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
)

type approvalCmd struct {
	List    approvalListCmd    `cmd:"" help:"List what waits for a second person, and what was decided."`
	Show    approvalShowCmd    `cmd:"" help:"Show one."`
	Approve approvalApproveCmd `cmd:"" help:"Approve what somebody else asked for."`
	Refuse  approvalRefuseCmd  `cmd:"" help:"Refuse what was asked for."`
}

// Help implements kong's HelpProvider.
func (approvalCmd) Help() string {
	return `Where a tenant's settings ask for it, a replay or discard of many dead letters, or a change of an FCM credential, needs a second
person. Who asks is told the id of an approval; somebody else, with another key, approves it within the hour; then the same
command is run again with it, once:

    dlq-replayer replay run --simulation sim_… --yes            # says: a second person has to approve this
    belfry approval approve apr_…                               # by somebody else
    dlq-replayer replay run --simulation sim_… --yes --approval apr_…`
}

type approvalListCmd struct {
	Server server         `embed:""`
	Output display.Output `embed:""`
}

// Run lists approvals.
func (c *approvalListCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	all, err := api.Approvals(ctx)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, all)
	}
	return approvalTable(con, all).Print(con, c.Output.Wide(), "nothing waits for a second person")
}

func approvalTable(con *display.Console, all []client.Approval) *display.Table {
	table := display.NewTable(
		display.Column{Name: "ID"}, display.Column{Name: "STATE", Tone: true}, display.Column{Name: "ABOUT", Least: 12, Drop: 4},
		display.Column{Name: "ASKED BY", Least: 12, Drop: 3}, display.Column{Name: "AGE"}, display.Column{Name: "DECIDED BY", Least: 12, Drop: 2},
		display.Column{Name: "UNTIL", Wide: true},
	)
	for i := range all {
		a := &all[i]
		table.Row(a.ID, string(a.State), a.About, a.AskedBy, con.Age(&a.AskedAt), a.DecidedBy, display.Clock(&a.ExpiresAt))
	}
	return table
}

// oneApproval is a command on one.
type oneApproval struct {
	Server server         `embed:""`
	ID     string         `arg:"" help:"Its id, apr_…."`
	Output display.Output `embed:""`
}

func (c *oneApproval) apply(ctx context.Context, con *display.Console,
	call func(*client.Client, context.Context, string) (client.Approval, error),
) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	a, err := call(api, ctx, c.ID)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, a)
	}
	return approvalTable(con, []client.Approval{a}).Print(con, c.Output.Wide(), "")
}

type approvalShowCmd struct{ oneApproval }

// Run shows an approval.
func (c *approvalShowCmd) Run(ctx context.Context, con *display.Console) error {
	return c.apply(ctx, con, (*client.Client).Approval)
}

type approvalApproveCmd struct{ oneApproval }

// Run approves.
func (c *approvalApproveCmd) Run(ctx context.Context, con *display.Console) error {
	return c.apply(ctx, con, (*client.Client).Approve)
}

type approvalRefuseCmd struct{ oneApproval }

// Run refuses.
func (c *approvalRefuseCmd) Run(ctx context.Context, con *display.Console) error {
	return c.apply(ctx, con, (*client.Client).Refuse)
}
