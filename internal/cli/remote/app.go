package remote

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/visible"
)

// appCmd is about the apps of a tenant.
type appCmd struct {
	Create     appCreateCmd     `cmd:"" help:"Make an app."`
	List       appListCmd       `cmd:"" help:"List the apps of a tenant."`
	Show       appShowCmd       `cmd:"" help:"Show an app."`
	Set        appSetCmd        `cmd:"" help:"Change the settings of an app."`
	Delete     appDeleteCmd     `cmd:"" help:"End an app."`
	Credential appCredentialCmd `cmd:"" help:"Give, show and remove the FCM credential of an app."`
}

type appCredentialCmd struct {
	Set    credentialSetCmd    `cmd:"" help:"Give an app its FCM credential: a service-account key file."`
	Show   credentialShowCmd   `cmd:"" help:"Show whose credential an app has. The key is never shown."`
	List   credentialListCmd   `cmd:"" help:"List the credentials of all apps."`
	Delete credentialDeleteCmd `cmd:"" help:"Remove the credential of an app; what the app has to send waits then."`
}

// whose says whose credential it is.
type whose struct {
	App    string `default:"default" placeholder:"NAME" help:"App of the tenant."`
	Tenant string `placeholder:"NAME" help:"Another tenant than the key's own; for platform operators."`
}

func (w whose) options() client.CredentialOptions { return client.CredentialOptions{Tenant: w.Tenant} }

// second is the flag that names a second person's approval.
type second struct {
	Approval string `placeholder:"ID" help:"A second person's approval, where the tenant's settings ask for one."`
}

type credentialSetCmd struct {
	Server server `embed:""`
	File   string `arg:"" help:"Service-account key file (JSON), - for standard input."`
	whose
	second
	ChangeProject bool           `help:"It may be of another Firebase project than the one that it replaces."`
	Output        display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (credentialSetCmd) Help() string {
	return `The server asks Google about it first, and keeps nothing that Google refuses. It is sealed, and cannot be read back.
Dispatchers use it within five seconds; requests that are under way end with the old one.

    belfry app credential set --app shop shop-prod-firebase-adminsdk.json`
}

// Run uploads the file and prints what the server says of it.
func (c *credentialSetCmd) Run(ctx context.Context, con *display.Console) error {
	raw, err := readAll(c.File, con.In)
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	o := c.options()
	o.ChangeProject = c.ChangeProject
	stored, err := api.Approved(c.Approval).PutCredential(ctx, c.App, raw, o)
	if err != nil {
		return err
	}
	for _, w := range stored.Warnings {
		_, _ = fmt.Fprintf(con.Err, "warning: %s\n", visible.Field(w))
	}
	return printCredential(con, c.Output, &stored)
}

type credentialShowCmd struct {
	Server server `embed:""`
	whose
	Output display.Output `embed:""`
}

// Run prints the credential.
func (c *credentialShowCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	found, err := api.Credential(ctx, c.App, c.options())
	if err != nil {
		return err
	}
	return printCredential(con, c.Output, &found)
}

type credentialListCmd struct {
	Server server         `embed:""`
	All    bool           `help:"Those of every tenant; for platform operators."`
	Output display.Output `embed:""`
}

// Run lists credentials: a table, or a JSON object a line.
func (c *credentialListCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	table := display.NewTable(
		display.Column{Name: "TENANT", Drop: 1}, display.Column{Name: "APP"}, display.Column{Name: "STATE", Tone: true},
		display.Column{Name: "PROJECT", Least: 12}, display.Column{Name: "FINGERPRINT", Drop: 3}, display.Column{Name: "AGE"},
		display.Column{Name: "BY", Drop: 2}, display.Column{Name: "SERVICE ACCOUNT", Wide: true}, display.Column{Name: "KEY", Wide: true},
	)
	enc := json.NewEncoder(con.Out)
	for d, err := range api.Credentials(ctx, c.All) {
		if err != nil {
			return err
		}
		if c.Output.JSON() {
			if err := enc.Encode(d); err != nil {
				return err
			}
			continue
		}
		table.Row(d.Tenant, d.App, string(d.State), d.Project, d.Fingerprint, con.Age(&d.Since), d.By, d.ClientEmail, d.KeyID)
	}
	if c.Output.JSON() {
		return nil
	}
	return table.Print(con, c.Output.Wide(), "no credentials yet: give one with belfry app credential set FILE")
}

type credentialDeleteCmd struct {
	Server server `embed:""`
	whose
	second
}

// Run removes the credential.
func (c *credentialDeleteCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	if err := api.Approved(c.Approval).DeleteCredential(ctx, c.App, c.options()); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(con.Out, "the credential of the app %s is removed\n", visible.Field(c.App))
	return nil
}

func printCredential(con *display.Console, o display.Output, c *client.Credential) error {
	if o.JSON() {
		return display.PrintJSON(con.Out, c)
	}
	visible.Fields(c)
	var l display.List
	l.Row("tenant", c.Tenant)
	l.Row("app", c.App)
	l.Row("state", string(c.State))
	l.Row("reason", c.Reason)
	l.Row("project", c.Project)
	l.Row("account", c.ClientEmail)
	l.Row("key", c.KeyID)
	l.Row("fingerprint", c.Fingerprint)
	l.Row("since", con.Time(&c.Since))
	l.Row("by", c.By)
	l.Row("checked", con.Time(c.CheckedAt))
	l.Row("sealed with", c.SealKey)
	return l.Print(con)
}
