package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/visible"
)

type tenantCmd struct {
	Create tenantCreateCmd `cmd:"" help:"Make a tenant."`
	List   tenantListCmd   `cmd:"" help:"List tenants."`
	Show   tenantShowCmd   `cmd:"" help:"Show a tenant."`
	Set    tenantSetCmd    `cmd:"" help:"Change the settings of a tenant."`
	Delete tenantDeleteCmd `cmd:"" help:"End a tenant."`
}

// Help implements kong's HelpProvider.
func (tenantCmd) Help() string {
	return `A tenant is one client organisation: its notifications, devices, dead letters and keys are visible to nobody else. The
tenant default is always there; its owners operate the platform. To the first push of a second one:

    belfry tenant create acme
    KEY=$(belfry key create --tenant acme --role owner)
    BELFRY_API_KEY=$KEY belfry send --to-token any --title Hi`
}

type tenantCreateCmd struct {
	Server  server         `embed:""`
	Name    string         `arg:"" help:"1 to 40 of a-z, 0-9 and -; it never changes."`
	Setting assignments    `arg:"" optional:"" help:"NAME=VALUE."`
	About   string         `placeholder:"TEXT" help:"For people."`
	Output  display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (tenantCreateCmd) Help() string {
	return `Give it a key next: belfry key create --tenant acme --role owner.

    belfry tenant create acme --about "Acme Corp" weight=3 notifications_per_minute=6000

` + settingsHelp
}

// Run makes the tenant.
func (c *tenantCreateCmd) Run(ctx context.Context, con *display.Console) error {
	settings, err := c.Setting.settings()
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	t, err := api.CreateTenant(ctx, client.TenantRequest{Name: c.Name, About: c.About, Settings: settings})
	if err != nil {
		return err
	}
	for _, n := range t.Notes {
		_, _ = fmt.Fprint(con.Err, display.Wrap(visible.Field(n), con.Width, ""))
	}
	return printTenant(con, c.Output, &t)
}

type tenantShowCmd struct {
	Server server         `embed:""`
	Name   string         `arg:"" help:"Tenant; an owner sees its own."`
	Output display.Output `embed:""`
}

// Run shows the tenant.
func (c *tenantShowCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	t, err := api.Tenant(ctx, c.Name)
	if err != nil {
		return err
	}
	return printTenant(con, c.Output, &t)
}

type tenantSetCmd struct {
	Server server `embed:""`
	Name   string `arg:"" help:"Tenant."`
	revision
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (tenantSetCmd) Help() string {
	return `    belfry tenant set acme weight=5 ttl=inherit

` + settingsHelp
}

// Run changes the tenant.
func (c *tenantSetCmd) Run(ctx context.Context, con *display.Console) error {
	values, err := c.values()
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	t, err := api.PatchTenant(ctx, c.Name, client.TenantPatch{About: c.About, Settings: values})
	if err != nil {
		return err
	}
	return printTenant(con, c.Output, &t)
}

type tenantDeleteCmd struct {
	Server server `embed:""`
	Name   string `arg:"" help:"Tenant."`
	confirmation
}

// Help implements kong's HelpProvider.
func (tenantDeleteCmd) Help() string {
	return `Within five seconds its keys open nothing. Nothing of it is sent any more: what is open of its notifications, batches and
replays ends as cancelled, and its FCM credentials and pauses are removed. Records stay until they are past their retention. The
name is never given to another.`
}

// Run ends the tenant.
func (c *tenantDeleteCmd) Run(ctx context.Context, con *display.Console) error {
	name := visible.Field(c.Name)
	if err := c.confirm(con, fmt.Sprintf("End the tenant %s, with all of its keys?", name)); err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	if err := api.DeleteTenant(ctx, c.Name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.Out, "%s deleted\n", name)
	return err
}

type tenantListCmd struct {
	Server server         `embed:""`
	Output display.Output `embed:""`
}

// Run lists tenants.
func (c *tenantListCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	table := display.NewTable(
		display.Column{Name: "NAME"}, display.Column{Name: "ABOUT", Least: 12, Drop: 2}, display.Column{Name: "WEIGHT", Right: true, Drop: 1},
		display.Column{Name: "AGE"}, display.Column{Name: "CREATED", Wide: true}, display.Column{Name: "BY", Wide: true},
	)
	enc := json.NewEncoder(con.Out)
	for t, err := range api.Tenants(ctx) {
		if err != nil {
			return err
		}
		if c.Output.JSON() {
			if err := enc.Encode(t); err != nil {
				return err
			}
			continue
		}
		weight := ""
		if t.Settings.Weight != nil {
			weight = strconv.FormatInt(*t.Settings.Weight, 10)
		}
		table.Row(t.Name, t.About, weight, con.Age(t.CreatedAt), display.Clock(t.CreatedAt), t.CreatedBy)
	}
	if c.Output.JSON() {
		return nil
	}
	return table.Print(con, c.Output.Wide(), "no tenants")
}

func printTenant(con *display.Console, o display.Output, t *client.Tenant) error {
	if o.JSON() {
		return display.PrintJSON(con.Out, t)
	}
	var list display.List
	list.Row("tenant", t.Name)
	list.Row("about", t.About)
	list.Row("created", con.Time(t.CreatedAt))
	list.Row("by", t.CreatedBy)
	settingRows(&list, &t.Settings)
	return list.Print(con)
}
