package remote

import (
	"context"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
)

type devicesPatchCmd struct {
	Server server `embed:""`
	ID     string `arg:"" help:"Device."`

	Token           *string             `group:"device" placeholder:"TOKEN" help:"New FCM registration token."`
	FID             *string             `name:"fid" group:"device" placeholder:"FID" help:"New Firebase installation id, instead of a token."`
	Platform        *client.Platform    `group:"device" placeholder:"NAME" help:"android, ios or web."`
	User            *string             `group:"device" placeholder:"ID" help:"Whose device it is; '' for nobody's."`
	Locale          *string             `group:"device" placeholder:"TAG" help:"Language as the device reports it, such as de-DE."`
	Timezone        *string             `group:"device" placeholder:"ZONE" help:"Time zone as the device reports it, such as Europe/Berlin."`
	AppVersion      *string             `group:"device" placeholder:"VERSION" help:"Of the app."`
	Attribute       pairs               `group:"device" placeholder:"KEY=VALUE" help:"To set; may be repeated."`
	RemoveAttribute []string            `group:"device" sep:"none" placeholder:"KEY" help:"To remove; may be repeated."`
	State           *client.DeviceState `group:"device" placeholder:"STATE" help:"active, or quarantined: nothing is sent to it."`
}

// Help implements kong's HelpProvider.
func (devicesPatchCmd) Help() string {
	return `What you do not name stays as it is, unlike with put; an empty value removes.

    belfry devices patch dev_1 --locale de-AT --attribute plan=gold
    belfry devices patch dev_1 --user '' --remove-attribute plan`
}

// Run changes the device and prints it.
func (c *devicesPatchCmd) Run(ctx context.Context, con *display.Console) error {
	p := client.DevicePatch{
		Token: c.Token, FID: c.FID, Platform: c.Platform, UserID: c.User, Locale: c.Locale, Timezone: c.Timezone, AppVersion: c.AppVersion,
		State: c.State,
	}
	if len(c.Attribute)+len(c.RemoveAttribute) > 0 {
		p.Attributes = map[string]*string{}
	}
	for name, value := range c.Attribute {
		p.Attributes[name] = &value
	}
	for _, name := range c.RemoveAttribute {
		if p.Attributes[name] != nil {
			return display.Usagef("attribute %q is both set and removed", name)
		}
		p.Attributes[name] = nil
	}
	if reflect.DeepEqual(p, client.DevicePatch{}) {
		return display.Usagef("nothing to change: give a flag such as --user; see belfry devices patch --help")
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	stored, err := api.PatchDevice(ctx, c.ID, p)
	if err != nil {
		return err
	}
	return printStored(con, stored)
}
