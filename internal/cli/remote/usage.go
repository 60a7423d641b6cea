package remote

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

// usageCmd shows what was used.
type usageCmd struct {
	Server server         `embed:""`
	Since  string         `group:"which" placeholder:"DAY" help:"First UTC day, such as 2026-11-01, or an age such as 7d; without it 30 days ago."`
	Until  string         `group:"which" placeholder:"DAY" help:"The day behind the last one; without it tomorrow."`
	Tenant string         `group:"which" placeholder:"NAME" help:"Of this tenant; an operator of the platform sees all without it."`
	App    string         `group:"which" placeholder:"NAME" help:"Of this app."`
	Group  string         `group:"which" placeholder:"WHAT" enum:",day,app,tenant" default:"" help:"A row for each day, app or tenant; without it for each day and app."`
	CSV    bool           `group:"other" xor:"form" help:"Print CSV with a header."`
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (usageCmd) Help() string {
	return `A notification belongs to the UTC day on which it was accepted, whenever it is sent. UNITS are billable: recipients whose
message FCM took, or may have taken. COST is an estimate of what that costs on AWS. A day that is not final may change.

    belfry usage --since 7d --group day
    belfry usage --since 2026-11-01 --until 2026-12-01 --csv > november.csv`
}

// Run prints usage: a table, a JSON object a line, or CSV.
func (c *usageCmd) Run(ctx context.Context, con *display.Console) error {
	f := client.UsageFilter{Tenant: c.Tenant, App: c.App, Group: c.Group}
	for _, day := range []struct {
		flag, text string
		to         *string
	}{{"--since", c.Since, &f.Since}, {"--until", c.Until, &f.Until}} {
		if day.text == "" {
			continue
		}
		at, err := con.Moment(day.text)
		if err != nil {
			return display.Usagef("%s: %v", day.flag, err)
		}
		*day.to = at.UTC().Format(time.DateOnly)
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	if c.CSV {
		body, err := api.UsageCSV(ctx, f)
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		_, err = io.Copy(con.Out, body)
		return err
	}
	return c.print(ctx, con, api, f)
}

func (c *usageCmd) print(ctx context.Context, con *display.Console, api *client.Client, f client.UsageFilter) error {
	table := display.NewTable(
		display.Column{Name: "TENANT", Least: 8}, display.Column{Name: "APP", Least: 8}, display.Column{Name: "DAY"},
		display.Column{Name: "REQUESTS", Right: true, Drop: 3}, display.Column{Name: "RECIPIENTS", Right: true},
		display.Column{Name: "SENT", Right: true}, display.Column{Name: "FAILED", Right: true},
		display.Column{Name: "OPEN", Right: true, Drop: 2},
		display.Column{Name: "INVALID", Right: true, Wide: true}, display.Column{Name: "UNITS", Right: true, Drop: 4},
		display.Column{Name: "COST", Right: true}, display.Column{Name: "FINAL", Drop: 1},
	)
	enc := json.NewEncoder(con.Out)
	total, rows := client.Usage{Tenant: "total", Final: true}, 0
	for u, err := range api.Usage(ctx, f) {
		if err != nil {
			return err
		}
		if c.Output.JSON() {
			if err := enc.Encode(u); err != nil {
				return err
			}
			continue
		}
		usageRow(table, &u)
		addUsage(&total, &u)
		rows++
	}
	if c.Output.JSON() {
		return nil
	}
	if rows > 1 {
		usageRow(table, &total)
	}
	return table.Print(con, c.Output.Wide(), "nothing was accepted in that time")
}

func addUsage(total, u *client.Usage) {
	total.Requests += u.Requests
	total.Recipients += u.Recipients
	total.Sent += u.Sent
	total.Open += u.Open
	total.Invalid += u.Invalid
	total.BillableUnits += u.BillableUnits
	total.CostUSD += u.CostUSD
	total.Final = total.Final && u.Final
}

func usageRow(table *display.Table, u *client.Usage) {
	final := "no"
	if u.Final {
		final = "yes"
	}
	table.Row(u.Tenant, u.App, u.Day, progress.Group(u.Requests), progress.Group(u.Recipients), progress.Group(u.Sent),
		progress.Group(u.Recipients-u.Open-u.Sent), progress.Group(u.Open), progress.Group(u.Invalid), progress.Group(u.BillableUnits),
		dollars(u.CostUSD), final)
}

// dollars is an amount to a hundredth of a cent.
func dollars(usd float64) string {
	const least = 0.0001
	if usd > 0 && usd < least {
		return "<$0.0001"
	}
	return "$" + strconv.FormatFloat(usd, 'f', 4, 64)
}
