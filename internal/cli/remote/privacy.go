package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/visible"
)

type privacyCmd struct {
	Export privacyExportCmd `cmd:"" help:"Write what is kept of a user, a JSON object a line."`
	Erase  privacyEraseCmd  `cmd:"" help:"Erase a user, and print the receipt."`
	Show   privacyShowCmd   `cmd:"" help:"Show how a privacy request stands."`
	List   privacyListCmd   `cmd:"" help:"List privacy requests, oldest first."`
	Verify privacyVerifyCmd `cmd:"" help:"Check the signature of a receipt."`
}

// person is whom a privacy request is about.
type person struct {
	User      string   `group:"person" placeholder:"ID" help:"The user, with all devices registered for it."`
	Device    []string `group:"person" sep:"none" placeholder:"ID" help:"A device of the person; may be repeated."`
	Token     []string `group:"person" sep:"none" placeholder:"TOKEN" help:"A token of the person, also a former one; may be repeated."`
	FID       []string `name:"fid" group:"person" sep:"none" placeholder:"FID" help:"An installation id of the person; may be repeated."`
	Reference string   `placeholder:"TEXT" help:"Your own, such as a ticket; it stands in the receipt."`
}

func (p *person) order(action client.PrivacyAction) (client.PrivacyOrder, error) {
	o := client.PrivacyOrder{
		Action: action, UserID: p.User, DeviceIDs: p.Device, Tokens: p.Token, FIDs: p.FID, Reference: p.Reference,
	}
	if p.User == "" && len(p.Device) == 0 && len(p.Token) == 0 && len(p.FID) == 0 {
		return o, display.Usagef("name the person: --user, --device, --token or --fid")
	}
	return o, nil
}

type privacyExportCmd struct {
	Server server `embed:""`
	person
}

// Help implements kong's HelpProvider.
func (privacyExportCmd) Help() string {
	return `Registrations, deliveries and dead letters, and as the last line a receipt: an export without it was cut off. It needs
a key with the permission privacy.

    belfry privacy export --user alice > alice.ndjson`
}

// Run writes the export.
func (c *privacyExportCmd) Run(ctx context.Context, con *display.Console) error {
	order, err := c.order(client.PrivacyExport)
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	q, err := api.CreatePrivacyRequest(ctx, order)
	if err != nil {
		return err
	}
	enc, whole := json.NewEncoder(con.Out), false
	enc.SetEscapeHTML(false)
	for row, err := range api.PrivacyExport(ctx, q.ID) {
		if err != nil {
			return err
		}
		if err := enc.Encode(row); err != nil {
			return err
		}
		whole = row.Receipt != nil
	}
	if !whole {
		return errors.New("the export was cut off: it has no receipt; try again")
	}
	return nil
}

type privacyEraseCmd struct {
	Server server `embed:""`
	person
	Receipt string `placeholder:"FILE" help:"Erase again whom this receipt is of, after an older backup was restored."`
	NoWait  bool   `help:"Print the request, and do not wait for its end."`
}

// Help implements kong's HelpProvider.
func (privacyEraseCmd) Help() string {
	return `From 5 s on, nothing that was accepted before is sent to them, queued or not. Then devices, recipients and dead letters
are removed, which goes on if this command ends. Keep the receipt: a backup of before needs it.

    belfry privacy erase --user alice --reference "ticket 4711" > receipt.json
    belfry privacy verify receipt.json
    belfry privacy erase --receipt receipt.json    # again, after an older backup was restored`
}

// ordered is what was given.
func (c *privacyEraseCmd) ordered(con *display.Console) (client.PrivacyOrder, error) {
	if c.Receipt == "" {
		return c.order(client.PrivacyErase)
	}
	receipt, err := readReceipt(c.Receipt, con)
	return client.PrivacyOrder{Action: client.PrivacyErase, Receipt: &receipt, Reference: c.Reference}, err
}

// readReceipt reads a receipt from a file, - for standard input.
func readReceipt(file string, con *display.Console) (r client.PrivacyReceipt, err error) {
	raw, err := readAll(file, con.In)
	if err != nil {
		return r, err
	}
	if bad := request.CheckJSON(raw); bad != nil {
		return r, display.Usagef("%s: %s", file, bad)
	}
	if err := json.Unmarshal(raw, &r); err != nil { //nolint:forbidigo // it was checked: only a type can be wrong
		return r, display.Usagef("%s: no receipt: %v", file, err)
	}
	return r, nil
}

// Run erases, waits for the end and prints the receipt.
func (c *privacyEraseCmd) Run(ctx context.Context, con *display.Console) error {
	order, err := c.ordered(con)
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	q, err := api.CreatePrivacyRequest(ctx, order)
	if err != nil {
		return err
	}
	if c.NoWait {
		return display.PrintJSON(con.Out, q)
	}
	_, _ = fmt.Fprintf(con.Err, "%s: nothing more is sent to them; removing what is kept\n", visible.Field(q.ID))
	const every = time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for q.Receipt == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if q, err = api.PrivacyRequest(ctx, q.ID); err != nil {
			return err
		}
	}
	return display.PrintJSON(con.Out, q.Receipt)
}

type privacyShowCmd struct {
	Server server `embed:""`
	ID     string `arg:"" help:"Privacy request."`
}

// Run prints the request as JSON.
func (c *privacyShowCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	q, err := api.PrivacyRequest(ctx, c.ID)
	if err != nil {
		return err
	}
	return display.PrintJSON(con.Out, q)
}

type privacyListCmd struct {
	Server server         `embed:""`
	Output display.Output `embed:""`
}

// Run lists the requests: a table, or a JSON object a line.
func (c *privacyListCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	table := display.NewTable(
		display.Column{Name: "ID"}, display.Column{Name: "ACTION"}, display.Column{Name: "STATE", Tone: true},
		display.Column{Name: "BY", Least: 8, Drop: 2}, display.Column{Name: "REFERENCE", Least: 12, Drop: 1},
		display.Column{Name: "ASKED", Drop: 3},
	)
	enc := json.NewEncoder(con.Out)
	for q, err := range api.PrivacyRequests(ctx) {
		if err != nil {
			return err
		}
		if c.Output.JSON() {
			if err := enc.Encode(q); err != nil {
				return err
			}
			continue
		}
		table.Row(q.ID, string(q.Action), string(q.State), q.By, q.Reference, con.Age(&q.CreatedAt))
	}
	if c.Output.JSON() {
		return nil
	}
	return table.Print(con, c.Output.Wide(), "no privacy requests yet")
}

type privacyVerifyCmd struct {
	Server    server `embed:""`
	File      string `arg:"" help:"Receipt as JSON, - for standard input."`
	PublicKey string `placeholder:"KEY" help:"Of the installation, as base64; without it, the server is asked for its receipt."`
}

// Help implements kong's HelpProvider.
func (privacyVerifyCmd) Help() string {
	return `With --public-key no server is needed: take the key from a receipt that you trust. Without it, the key is that of the
server's own receipt of the same request.`
}

// Run checks the receipt.
func (c *privacyVerifyCmd) Run(ctx context.Context, con *display.Console) error {
	receipt, err := readReceipt(c.File, con)
	if err != nil {
		return err
	}
	key := c.PublicKey
	if key == "" {
		if key, err = c.keyOf(ctx, con, receipt.Request); err != nil {
			return err
		}
	}
	if err := receipt.Verify(key); err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	return c.print(con.Out, &receipt)
}

// keyOf asks the server for the key that it signs with.
func (c *privacyVerifyCmd) keyOf(ctx context.Context, con *display.Console, id string) (string, error) {
	api, err := c.Server.connect(con)
	if err != nil {
		return "", err
	}
	q, err := api.PrivacyRequest(ctx, id)
	if err != nil {
		return "", err
	}
	if q.Receipt == nil {
		return "", fmt.Errorf("the server has no receipt of %s", visible.Field(id))
	}
	return q.Receipt.PublicKey, nil
}

func (*privacyVerifyCmd) print(w io.Writer, r *client.PrivacyReceipt) error {
	_, err := fmt.Fprintf(w, "good signature: %s of %s, %d devices, %d deliveries, %d dead letters, ended %s\n",
		visible.Field(string(r.Action)), visible.Field(r.Request), r.Counts.Devices, r.Counts.Deliveries, r.Counts.DeadLetters,
		display.Clock(&r.EndedAt))
	return err
}
