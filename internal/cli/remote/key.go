package remote

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/visible"
)

type keyCmd struct {
	Create  keyCreateCmd  `cmd:"" help:"Make an API key and print it, once."`
	List    keyListCmd    `cmd:"" help:"List API keys, without their text."`
	Show    keyShowCmd    `cmd:"" help:"Show an API key, without its text."`
	Rotate  keyRotateCmd  `cmd:"" help:"Make a key in the place of another, which stays live for a while."`
	Signing keySigningCmd `cmd:"" help:"Give a key a secret to sign requests with, or take it away."`
	Revoke  keyRevokeCmd  `cmd:"" help:"End API keys: within five seconds no server takes them."`
}

type keyCreateCmd struct {
	Server    server         `embed:""`
	Role      string         `placeholder:"NAME" help:"What it may: owner, operator, sender (if left out), viewer, auditor, or one of belfry role list."`
	Scope     []client.Scope `placeholder:"NAME" help:"Narrow the role: send, devices, read, replay, admin; several with commas."`
	App       string         `placeholder:"NAME" help:"Only for this app."`
	Name      string         `placeholder:"TEXT" help:"For people: who uses it."`
	Network   []string       `placeholder:"CIDR" help:"Only from there, such as 203.0.113.0/24; several with commas."`
	ExpiresIn string         `placeholder:"TIME" help:"How long it opens anything, such as 12h or 90d; left out: for ever."`
	Env       string         `placeholder:"NAME" help:"The second part of its text, such as test; left out: live."`
	ofTenant
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (keyCreateCmd) Help() string {
	return `The key alone is on standard output, and what there is to say about it on standard error. It is stored nowhere: keep it now.

    KEY=$(belfry key create --role sender --app shop --name checkout)
    belfry key create --tenant acme --role owner --expires-in 90d > acme.key`
}

// Run makes the key.
func (c *keyCreateCmd) Run(ctx context.Context, con *display.Console) error {
	req := client.APIKeyRequest{App: c.App, Name: c.Name, Env: c.Env, Role: c.Role, Scopes: c.Scope, Networks: c.Network}
	if c.ExpiresIn != "" {
		d, err := days(c.ExpiresIn)
		if err != nil || d <= 0 {
			return display.Usagef("--expires-in: must be a time such as 12h or 90d (got %q)", c.ExpiresIn)
		}
		req.ExpiresAt = new(con.At(d))
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	k, err := api.CreateAPIKey(ctx, req, c.options()...)
	if err != nil {
		return err
	}
	return printNewKey(con, c.Output, &k)
}

// days reads a duration that may be in days.
func days(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		const most = 100 * 365
		whole, err := strconv.Atoi(n)
		if err != nil || whole > most {
			return 0, fmt.Errorf("%q is no number of days", n)
		}
		return time.Duration(whole) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}

// printNewKey prints the text of a key alone, for $(…), and the rest on standard error.
func printNewKey(con *display.Console, o display.Output, k *client.NewAPIKey) error {
	if k.Key == "" {
		return fmt.Errorf("the key %s was made, but the answer with its text got lost: belfry key revoke %s, and make another",
			k.APIKey.ID, k.APIKey.ID)
	}
	for _, n := range k.Notes {
		_, _ = fmt.Fprint(con.Err, display.Wrap(visible.Field(n), con.Width, ""))
	}
	if o.JSON() {
		return display.PrintJSON(con.Out, k)
	}
	if err := keyRows(con, &k.APIKey).Print(con.ToErr()); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(con.Err, "This is the only time that the key is shown:")
	_, err := fmt.Fprintln(con.Out, visible.Field(k.Key))
	return err
}

func keyRows(con *display.Console, k *client.APIKey) *display.List {
	list := &display.List{}
	list.Row("key", k.ID)
	list.Row("state", string(k.State))
	list.Row("tenant", k.Tenant)
	list.Row("app", k.App)
	list.Row("name", k.Name)
	list.Row("role", k.Role)
	list.Row("scopes", joined(k.Scopes))
	list.Row("networks", strings.Join(k.Networks, " "))
	list.Row("created", con.Time(&k.CreatedAt))
	list.Row("by", k.CreatedBy)
	list.Row("used", con.Time(k.UsedAt))
	list.Row("expires", con.Time(k.ExpiresAt))
	list.Row("revoked", con.Time(k.RevokedAt))
	list.Row("revoked by", k.RevokedBy)
	list.Row("replaces", k.Replaces)
	list.Row("signing", string(k.Signing))
	return list
}

func joined[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, " ")
}

type keyListCmd struct {
	Server server `embed:""`
	Live   bool   `help:"Only those that open anything."`
	ofTenant
	Output display.Output `embed:""`
}

// Run lists keys.
func (c *keyListCmd) Run(ctx context.Context, con *display.Console) error {
	var states []client.APIKeyState
	if c.Live {
		states = append(states, client.APIKeyLive)
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	keys, err := api.APIKeys(ctx, states, c.options()...)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, keys)
	}
	table := display.NewTable(
		display.Column{Name: "ID"}, display.Column{Name: "STATE", Tone: true}, display.Column{Name: "ROLE", Least: 8},
		display.Column{Name: "SCOPES", Least: 8, Drop: 1}, display.Column{Name: "APP", Least: 8, Drop: 3},
		display.Column{Name: "NAME", Least: 10}, display.Column{Name: "AGE", Drop: 2}, display.Column{Name: "USED"},
		display.Column{Name: "EXPIRES", Drop: 4}, display.Column{Name: "NETWORKS", Wide: true}, display.Column{Name: "BY", Wide: true},
	)
	for i := range keys {
		k := &keys[i]
		table.Row(k.ID, string(k.State), k.Role, joined(k.Scopes), k.App, k.Name, con.Age(&k.CreatedAt), con.Age(k.UsedAt),
			con.Age(k.ExpiresAt), strings.Join(k.Networks, " "), k.CreatedBy)
	}
	return table.Print(con, c.Output.Wide(), "no keys yet: belfry key create makes one")
}

type keyShowCmd struct {
	Server server `embed:""`
	ID     string `arg:"" help:"The third part of the key's text."`
	ofTenant
	Output display.Output `embed:""`
}

// Run shows the key.
func (c *keyShowCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	k, err := api.APIKey(ctx, c.ID, c.options()...)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, k)
	}
	return keyRows(con, &k).Print(con)
}

type keyRotateCmd struct {
	Server  server `embed:""`
	ID      string `arg:"" help:"The third part of the key's text."`
	Overlap string `default:"24h" placeholder:"TIME" help:"How long the old key stays live, 0s to 30d."`
	ofTenant
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (keyRotateCmd) Help() string {
	return `Both keys open the same until the overlap ends. The new key alone is on standard output:

    belfry key rotate 7k2m9x4c1q0z --overlap 7d > new.key`
}

// Run rotates the key.
func (c *keyRotateCmd) Run(ctx context.Context, con *display.Console) error {
	overlap, err := days(c.Overlap)
	if err != nil || overlap < 0 {
		return display.Usagef("--overlap: must be a time such as 12h or 7d (got %q)", c.Overlap)
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	k, err := api.RotateAPIKey(ctx, c.ID, client.RotateRequest{Overlap: overlap.String()}, c.options()...)
	if err != nil {
		return err
	}
	return printNewKey(con, c.Output, &k)
}

type keyRevokeCmd struct {
	Server server   `embed:""`
	ID     []string `arg:"" help:"The third part of each key's text."`
	ofTenant
}

// Run revokes the keys.
func (c *keyRevokeCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	for _, id := range c.ID {
		k, err := api.RevokeAPIKey(ctx, id, c.options()...)
		if err != nil {
			return fmt.Errorf("key %s: %w", visible.Field(id), err)
		}
		if _, err := fmt.Fprintf(con.Out, "%s revoked\n", visible.Field(k.ID)); err != nil {
			return err
		}
	}
	return nil
}

type keySigningCmd struct {
	Server   server `embed:""`
	ID       string `arg:"" help:"The third part of the key's text."`
	Required bool   `help:"The key opens nothing without a signature."`
	Off      bool   `help:"Take the secret away: the key's text alone opens then."`
	ofTenant
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (keySigningCmd) Help() string {
	return `Requests are signed as Standard Webhooks are: HMAC-SHA256 over id.timestamp.body. The server keeps the secret sealed, so it
needs BELFRY_SEAL_KEY. The secret alone is on standard output; an earlier one opens nothing any more:

    belfry key signing 7k2m9x4c1q0z --required > signing.secret`
}

// Run changes whether the key signs.
func (c *keySigningCmd) Run(ctx context.Context, con *display.Console) error {
	if c.Off && c.Required {
		return display.Usagef("--off and --required: give one of them")
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	if c.Off {
		k, err := api.DisableSigning(ctx, c.ID, c.options()...)
		if err != nil {
			return err
		}
		if c.Output.JSON() {
			return display.PrintJSON(con.Out, k)
		}
		return keyRows(con, &k).Print(con)
	}
	s, err := api.EnableSigning(ctx, c.ID, client.SigningRequest{Required: c.Required}, c.options()...)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, s)
	}
	if err := keyRows(con, &s.APIKey).Print(con.ToErr()); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(con.Err, "This is the only time that the secret is shown:")
	_, err = fmt.Fprintln(con.Out, visible.Field(s.Secret))
	return err
}
