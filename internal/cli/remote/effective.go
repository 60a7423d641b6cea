package remote

import (
	"context"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
)

type configEffectiveCmd struct {
	Server server `embed:""`
	App    string `placeholder:"NAME" help:"The app; left out: the key's own, or default."`
	ofTenant
	Output display.Output `embed:""`
}

// Run prints the settings.
func (c *configEffectiveCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	e, err := api.Configuration(ctx, c.App, c.options()...)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, e)
	}
	table := display.NewTable(display.Column{Name: "SETTING"}, display.Column{Name: "VALUE"}, display.Column{Name: "FROM"})
	eachSetting(&e.Settings, func(name, value string) { table.Row(name, value, string(e.From[name])) })
	return table.Print(con, c.Output.Wide(), "no settings")
}

type configPlatformCmd struct {
	Server  server         `embed:""`
	Setting assignments    `arg:"" optional:"" help:"NAME=VALUE to change; none: show."`
	Output  display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (configPlatformCmd) Help() string { return settingsHelp }

// Run shows or changes the settings of the platform.
func (c *configPlatformCmd) Run(ctx context.Context, con *display.Console) error {
	values, err := c.Setting.values()
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	p, err := api.PlatformSettings(ctx)
	if err == nil && len(values) > 0 {
		put(&p.Settings, values)
		p, err = api.SetPlatform(ctx, p.Settings)
	}
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, p)
	}
	return printPlatform(con, &p)
}

func printPlatform(con *display.Console, p *client.PlatformSettings) error {
	var list display.List
	settingRows(&list, &p.Settings)
	list.Row("changed", con.Time(p.UpdatedAt))
	list.Row("by", p.UpdatedBy)
	if p.UpdatedAt == nil {
		list.Row("settings", "none: Belfry's defaults hold")
	}
	return list.Print(con)
}
