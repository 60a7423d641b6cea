package remote

import (
	"context"
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/visible"
)

type appCreateCmd struct {
	Server  server      `embed:""`
	Name    string      `arg:"" help:"1 to 40 of a-z, 0-9 and -; it never changes."`
	Setting assignments `arg:"" optional:"" help:"NAME=VALUE."`
	About   string      `placeholder:"TEXT" help:"For people."`
	ofTenant
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (appCreateCmd) Help() string {
	return `An app has an FCM credential and settings of its own; notifications name it with --app or "app".

    belfry app create shop ttl=1h

` + settingsHelp
}

// Run makes the app.
func (c *appCreateCmd) Run(ctx context.Context, con *display.Console) error {
	settings, err := c.Setting.settings()
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	a, err := api.CreateApp(ctx, client.AppRequest{Name: c.Name, About: c.About, Settings: settings}, c.options()...)
	if err != nil {
		return err
	}
	return printApp(con, c.Output, &a)
}

type appShowCmd struct {
	Server server `embed:""`
	Name   string `arg:"" help:"App."`
	ofTenant
	Output display.Output `embed:""`
}

// Run shows the app.
func (c *appShowCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	a, err := api.App(ctx, c.Name, c.options()...)
	if err != nil {
		return err
	}
	return printApp(con, c.Output, &a)
}

type appSetCmd struct {
	Server server `embed:""`
	Name   string `arg:"" help:"App."`
	revision
	ofTenant
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (appSetCmd) Help() string {
	return `    belfry app set shop ttl=15m delivery_guarantee=at_most_once

` + settingsHelp
}

// Run changes the app.
func (c *appSetCmd) Run(ctx context.Context, con *display.Console) error {
	values, err := c.values()
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	a, err := api.PatchApp(ctx, c.Name, client.AppPatch{About: c.About, Settings: values}, c.options()...)
	if err != nil {
		return err
	}
	return printApp(con, c.Output, &a)
}

type appDeleteCmd struct {
	Server server `embed:""`
	Name   string `arg:"" help:"App."`
	ofTenant
	confirmation
}

// Run ends the app.
func (c *appDeleteCmd) Run(ctx context.Context, con *display.Console) error {
	name := visible.Field(c.Name)
	if err := c.confirm(con, fmt.Sprintf("End the app %s? Nothing is accepted for it any more.", name)); err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	if err := api.DeleteApp(ctx, c.Name, c.options()...); err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.Out, "%s deleted\n", name)
	return err
}

type appListCmd struct {
	Server server `embed:""`
	ofTenant
	Output display.Output `embed:""`
}

// Run lists apps.
func (c *appListCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	apps, err := api.Apps(ctx, c.options()...)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, apps)
	}
	table := display.NewTable(
		display.Column{Name: "NAME"}, display.Column{Name: "ABOUT", Least: 12}, display.Column{Name: "AGE"},
		display.Column{Name: "CREATED", Wide: true}, display.Column{Name: "BY", Wide: true},
	)
	for i := range apps {
		a := &apps[i]
		table.Row(a.Name, a.About, con.Age(a.CreatedAt), display.Clock(a.CreatedAt), a.CreatedBy)
	}
	return table.Print(con, c.Output.Wide(), "no apps")
}

func printApp(con *display.Console, o display.Output, a *client.App) error {
	if o.JSON() {
		return display.PrintJSON(con.Out, a)
	}
	var list display.List
	list.Row("app", a.Name)
	list.Row("tenant", a.Tenant)
	list.Row("about", a.About)
	list.Row("created", con.Time(a.CreatedAt))
	list.Row("by", a.CreatedBy)
	settingRows(&list, &a.Settings)
	return list.Print(con)
}
