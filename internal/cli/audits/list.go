package audits

import (
	"context"
	"strconv"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/direct"
	"github.com/belfry-push/belfry/internal/cli/display"
)

type listCmd struct {
	Source   direct.Source  `embed:""`
	Tenant   string         `group:"which" placeholder:"TENANT" help:"Whose log; the key's own unless it is the operator's."`
	Action   []string       `group:"which" placeholder:"NAME" help:"Only this action, such as discardDeadLetters; several with commas."`
	Kind     string         `group:"which" enum:",change,read" default:"" placeholder:"KIND" help:"Only change, or only read."`
	Who      string         `group:"which" placeholder:"NAME" help:"Only this caller, as the list shows it, or the id of its key."`
	Target   string         `group:"which" placeholder:"KIND" help:"Only calls about this kind of thing, such as notifications."`
	TargetID string         `group:"which" placeholder:"ID" help:"Only calls about this one."`
	Since    string         `group:"which" placeholder:"TIME" help:"Then or later: an age such as 90m or 3d, a day, or a time such as 2026-11-01T15:04:05Z."`
	Until    string         `group:"which" placeholder:"TIME" help:"Before that."`
	Limit    int            `default:"50" help:"How many; 0 for all."`
	Output   display.Format `embed:""`
}

// Help implements kong's HelpProvider.
func (listCmd) Help() string {
	return `What is given must all hold:

    belfry audit list --since 1d --kind change
    belfry audit list --who key:9f86d081 --target devices
    belfry audit list --action discardDeadLetters,importDeadLetters -o ndjson`
}

func (c *listCmd) filter(con *display.Console) (client.AuditFilter, error) {
	const page = 200
	f := client.AuditFilter{
		Tenant: c.Tenant, Actions: c.Action, Kind: client.AuditKind(c.Kind), Who: c.Who, TargetKind: c.Target, TargetID: c.TargetID,
		PageSize: page,
	}
	if c.Limit < 0 {
		return f, display.Usagef("--limit: must not be negative (got %d)", c.Limit)
	}
	var err error
	if c.Since != "" {
		if f.Since, err = con.Moment(c.Since); err != nil {
			return f, display.Usagef("--since: %v", err)
		}
	}
	if c.Until != "" {
		if f.Until, err = con.Moment(c.Until); err != nil {
			return f, display.Usagef("--until: %v", err)
		}
	}
	return f, nil
}

// Run lists.
func (c *listCmd) Run(ctx context.Context, con *display.Console) error {
	f, err := c.filter(con)
	if err != nil {
		return err
	}
	return c.Source.With(ctx, con, func(api *client.Client) error {
		items := []client.AuditEntry{}
		for e, err := range api.Audit(ctx, f) {
			if err != nil {
				return err
			}
			if items = append(items, e); len(items) == c.Limit {
				break
			}
		}
		return display.Page(c.Output, con.Out, client.AuditList{Items: items}, items, func() error {
			table := display.NewTable(
				display.Column{Name: "SEQ", Right: true}, display.Column{Name: "TIME"}, display.Column{Name: "WHO", Least: 12},
				display.Column{Name: "KEY", Wide: true}, display.Column{Name: "ACTION", Least: 14},
				display.Column{Name: "TARGET", Least: 12, Drop: 2}, display.Column{Name: "STATUS", Right: true},
				display.Column{Name: "FROM", Drop: 1}, display.Column{Name: "REQUEST", Wide: true}, display.Column{Name: "REASON", Wide: true},
			)
			for i := range items {
				e := &items[i]
				target := ""
				if e.Target != nil {
					if target = e.Target.ID; target == "" {
						target = e.Target.Kind
					}
				}
				table.Row(strconv.FormatInt(e.Seq, 10), display.Clock(&e.Time), e.Who.Name, e.Who.Key, e.Action, target, strconv.Itoa(e.Status),
					e.From, e.Call, e.Reason)
			}
			return table.Print(con, c.Output.Wide(), "no entries found")
		})
	})
}
