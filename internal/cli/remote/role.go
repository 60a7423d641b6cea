package remote

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/visible"
)

type roleCmd struct {
	Create roleCreateCmd `cmd:"" help:"Make a role: a named set of permissions."`
	List   roleListCmd   `cmd:"" help:"List roles and what they may."`
	Delete roleDeleteCmd `cmd:"" help:"Remove a role; keys with it open nothing any more."`
}

type roleCreateCmd struct {
	Server     server              `embed:""`
	Name       string              `arg:"" help:"1 to 40 of a-z, 0-9 and -."`
	Permission []client.Permission `arg:"" help:"What keys with it may, such as read or replay."`
	About      string              `placeholder:"TEXT" help:"For people."`
	ofTenant
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (roleCreateCmd) Help() string {
	return `    belfry role create support read read_payload
    belfry key create --role support --name "help desk"

The permissions: send, manage, read, read_payload, read_devices, write_devices, replay, discard, audit, approve, admin,
privacy. docs/permissions.md says which request needs which.`
}

// Run makes the role.
func (c *roleCreateCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	r, err := api.CreateRole(ctx, client.RoleRequest{Name: c.Name, About: c.About, Permissions: c.Permission}, c.options()...)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, r)
	}
	var list display.List
	list.Row("role", r.Name)
	list.Row("tenant", r.Tenant)
	list.Row("about", r.About)
	list.Row("permissions", joined(r.Permissions))
	return list.Print(con)
}

type roleListCmd struct {
	Server server `embed:""`
	ofTenant
	Output display.Output `embed:""`
}

// Run lists roles.
func (c *roleListCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	roles, err := api.Roles(ctx, c.options()...)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, roles)
	}
	table := display.NewTable(display.Column{Name: "NAME"}, display.Column{Name: "BUILT IN"}, display.Column{Name: "ABOUT", Least: 12})
	for i := range roles {
		r := &roles[i]
		own := ""
		if r.BuiltIn {
			own = "yes"
		}
		table.Row(r.Name, own, r.About)
		table.Below(joined(r.Permissions))
	}
	return table.Print(con, c.Output.Wide(), "no roles")
}

type roleDeleteCmd struct {
	Server server `embed:""`
	Name   string `arg:"" help:"Role."`
	ofTenant
}

// Run removes the role.
func (c *roleDeleteCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	if err := api.DeleteRole(ctx, c.Name, c.options()...); err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.Out, "%s deleted\n", visible.Field(c.Name))
	return err
}
