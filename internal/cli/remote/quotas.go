package remote

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
)

type quotaCmd struct {
	Server server         `embed:""`
	Tenant string         `placeholder:"NAME" help:"Whose; an operator of the platform may name any. Default: the key's."`
	App    string         `placeholder:"NAME" help:"The app whose own quotas are meant, too. Default: the key's, else default."`
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (quotaCmd) Help() string {
	return `What is over a quota is refused with 429, or deferred: it is accepted and starts when there is room. A quota that is not set
is not listed. The platform's operator sets them:

    belfry tenant set acme recipients_per_day=1000000 over_quota=defer
    belfry quota --tenant acme`
}

// Run lists the quotas.
func (c *quotaCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	all, err := api.Quotas(ctx, client.QuotaFilter{Tenant: c.Tenant, App: c.App})
	if err != nil {
		return err
	}
	table, enc := display.NewTable(
		display.Column{Name: "QUOTA"}, display.Column{Name: "OF", Least: 8}, display.Column{Name: "LIMIT", Right: true},
		display.Column{Name: "USED", Right: true}, display.Column{Name: "LEFT", Right: true}, display.Column{Name: "WHOLE AGAIN"},
		display.Column{Name: "OVER IT", Drop: 1},
	), json.NewEncoder(con.Out)
	for i := range all {
		q := &all[i]
		if c.Output.JSON() {
			if err := enc.Encode(q); err != nil {
				return err
			}
			continue
		}
		table.Row(string(q.Quota), quotaOf(q), number(q.Limit), number(q.Used), number(q.Left), display.Clock(q.WholeAt), q.Over)
	}
	if c.Output.JSON() {
		return nil
	}
	return table.Print(con, c.Output.Wide(), "no quota is set")
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func quotaOf(q *client.Quota) string {
	switch {
	case q.Key != "":
		return q.Key
	case q.App != "":
		return "app " + q.Tenant + "/" + q.App
	}
	return "tenant " + q.Tenant
}
