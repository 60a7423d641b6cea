package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/strict"
	"github.com/belfry-push/belfry/internal/visible"
)

type devicesCmd struct {
	Import  devicesImportCmd  `cmd:"" help:"Register devices from a file, one JSON object a line."`
	Put     devicesPutCmd     `cmd:"" help:"Register a device, or replace its registration."`
	Patch   devicesPatchCmd   `cmd:"" help:"Change a part of a device's registration."`
	Get     devicesGetCmd     `cmd:"" help:"Show a device."`
	List    devicesListCmd    `cmd:"" help:"List devices, of one user or of all."`
	Restore devicesRestoreCmd `cmd:"" help:"Take a device out of quarantine."`
	Delete  devicesDeleteCmd  `cmd:"" help:"Remove devices."`
}

type devicesImportCmd struct {
	Server server         `embed:""`
	File   string         `arg:"" help:"NDJSON, - for standard input."`
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (devicesImportCmd) Help() string {
	return `Each line is a device with its id, and replaces what was registered under that id:

    {"id": "dev_…", "token": "…", "platform": "android", "user_id": "alice", "locale": "de-DE"}`
}

// Run imports the file.
func (c *devicesImportCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	in := con.In
	if c.File != stdinName {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	// NopCloser: the HTTP client would close standard input.
	res, err := api.ImportDevices(ctx, io.NopCloser(in))
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		err = display.PrintJSON(con.Out, res)
	} else {
		_, err = fmt.Fprintf(con.Out, "%s devices imported\n", progress.Group(res.Imported))
	}
	if err != nil {
		return err
	}
	printRefused(con.Err, c.File, uploaded{refused: res.Invalid, faults: res.Errors[:min(len(res.Errors), maxShown)]})
	printWarned(con.Err, c.File, uploaded{
		total: client.UploadResult{Warned: res.Warned}, warned: res.Warnings[:min(len(res.Warnings), maxShown)],
	})
	if res.Invalid > 0 {
		return display.StatusError(display.ExitIncomplete)
	}
	return nil
}

type devicesGetCmd struct {
	Server server `embed:""`
	ID     string `arg:"" help:"Device."`
}

// Run prints the device as JSON.
func (c *devicesGetCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	d, err := api.Device(ctx, c.ID)
	if err != nil {
		return err
	}
	return display.PrintJSON(con.Out, d)
}

type devicesPutCmd struct {
	Server server `embed:""`
	ID     string `arg:"" help:"Device: an id that you choose, or the one that it has."`
	File   string `arg:"" optional:"" help:"Registration as JSON, - for standard input; instead of the flags."`

	Token      string          `group:"device" placeholder:"TOKEN" help:"FCM registration token; give it or --fid."`
	FID        string          `name:"fid" group:"device" placeholder:"FID" help:"Firebase installation id."`
	Platform   client.Platform `group:"device" placeholder:"NAME" help:"android, ios or web."`
	User       string          `group:"device" placeholder:"ID" help:"Whose device it is."`
	Locale     string          `group:"device" placeholder:"TAG" help:"Language as the device reports it, such as de-DE."`
	Timezone   string          `group:"device" placeholder:"ZONE" help:"Time zone as the device reports it, such as Europe/Berlin."`
	AppVersion string          `group:"device" placeholder:"VERSION" help:"Of the app."`
	Attribute  pairs           `group:"device" placeholder:"KEY=VALUE" help:"For segments; may be repeated."`
}

// Help implements kong's HelpProvider.
func (devicesPutCmd) Help() string {
	return `The registration is replaced as a whole: what you leave out is removed. A token that another device had moves to this
one.

    belfry devices put dev_1 --token fPz… --platform android --user alice
    belfry devices get dev_1 | jq '.locale = "de-AT"' | belfry devices put dev_1 -`
}

// Run registers the device and prints it.
func (c *devicesPutCmd) Run(ctx context.Context, con *display.Console) error {
	d, err := c.device(con)
	if err != nil {
		return err
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	stored, err := api.PutDevice(ctx, c.ID, d)
	if err != nil {
		return err
	}
	return printStored(con, stored)
}

// printStored prints a registration, and says what came with it.
func printStored(con *display.Console, stored client.Device) error {
	warn(con, stored.Warnings)
	if stored.MovedFrom != "" {
		_, _ = fmt.Fprintf(con.Err, "the address was that of device %s, which is removed\n", visible.Field(stored.MovedFrom))
	}
	return display.PrintJSON(con.Out, stored)
}

// device is the registration that was given.
func (c *devicesPutCmd) device(con *display.Console) (client.Device, error) {
	d := client.Device{
		Token: c.Token, FID: c.FID, Platform: c.Platform, UserID: c.User, Locale: c.Locale, Timezone: c.Timezone, AppVersion: c.AppVersion,
		Attributes: c.Attribute,
	}
	flags := !reflect.DeepEqual(d, client.Device{})
	switch {
	case flags && c.File != "":
		return d, display.Usagef("give the registration as a file or with flags, not both")
	case flags:
		return d, nil
	case c.File == "":
		return d, display.Usagef("nothing to register: give --token or --fid, or a FILE")
	}
	raw, err := readAll(c.File, con.In)
	if err != nil {
		return d, err
	}
	// The server decides what a registration may hold: a field that this program
	// does not know must not be dropped in silence. It sets some itself.
	if bad := request.CheckJSON(raw); bad != nil {
		return d, display.Usagef("%s: %s", c.File, bad)
	}
	if err := strictDevice(raw, &d); err != nil {
		return d, display.Usagef("%s: %v", c.File, err)
	}
	d.State, d.Source, d.QuarantinedAt, d.LastSuccessAt, d.LastFailureAt = "", "", nil, nil, nil
	d.LastFailure, d.CreatedAt, d.UpdatedAt, d.Warnings, d.MovedFrom = "", nil, nil, nil, ""
	return d, nil
}

// strictDevice decodes a registration whose fields are all known.
func strictDevice(raw []byte, d *client.Device) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil { //nolint:forbidigo // it was checked: only its type can be wrong
		return errors.New("must be a JSON object")
	}
	known := jsonNames(reflect.TypeFor[client.Device]())
	for name := range fields {
		if !slices.Contains(known, name) {
			return fmt.Errorf("unknown field %q%s", name, strict.DidYouMean(name, known))
		}
	}
	return json.Unmarshal(raw, d) //nolint:forbidigo // it was checked
}

// jsonNames lists the fields of a type as JSON has them.
func jsonNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

type devicesDeleteCmd struct {
	Server server   `embed:""`
	ID     []string `arg:"" help:"Devices."`
}

// Run removes the devices. It goes on behind one that is not there.
func (c *devicesDeleteCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	missing := 0
	for _, id := range c.ID {
		err := api.DeleteDevice(ctx, id)
		switch {
		case client.IsProblem(err, "not_found"):
			missing++
			_, _ = fmt.Fprintf(con.Err, "%s is not registered\n", visible.Field(id))
		case err != nil:
			return err
		default:
			_, _ = fmt.Fprintf(con.Out, "%s deleted\n", visible.Field(id))
		}
	}
	if missing > 0 {
		return display.StatusError(display.ExitFailure)
	}
	return nil
}

type devicesRestoreCmd struct {
	Server server `embed:""`
	ID     string `arg:"" help:"Device."`
}

// Help implements kong's HelpProvider.
func (devicesRestoreCmd) Help() string {
	return `A device whose token FCM called dead or invalid is in quarantine: nothing is sent to it. Restore it if you know that
the token works; a new token, put or imported, ends the quarantine by itself.`
}

// Run takes the device out of quarantine and prints it.
func (c *devicesRestoreCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	d, err := api.RestoreDevice(ctx, c.ID)
	if err != nil {
		return err
	}
	return display.PrintJSON(con.Out, d)
}

type devicesListCmd struct {
	Server server `embed:""`
	User   string `placeholder:"ID" help:"Only those of this user."`
	discretion
	Output display.Output `embed:""`
}

// Run lists devices: a table without their tokens, or a JSON object a line.
func (c *devicesListCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	table := display.NewTable(
		display.Column{Name: "ID"}, display.Column{Name: "USER", Least: 12}, display.Column{Name: "PLATFORM", Drop: 2},
		display.Column{Name: "STATE", Tone: true}, display.Column{Name: "LOCALE", Drop: 1}, display.Column{Name: "SUCCESS", Drop: 3},
		display.Column{Name: "LAST SUCCESS", Wide: true}, display.Column{Name: "FAILURE", Drop: 4},
		display.Column{Name: "LAST FAILURE", Wide: true},
		display.Column{Name: "FAILED AS", Least: 12, Drop: 5},
	)
	enc := json.NewEncoder(con.Out)
	for d, err := range api.Devices(ctx, c.User) {
		if err != nil {
			return err
		}
		if c.NoAddresses {
			d.Token, d.FID = "", ""
		}
		if c.Output.JSON() {
			if err := enc.Encode(d); err != nil {
				return err
			}
			continue
		}
		table.Row(d.ID, d.UserID, string(d.Platform), string(d.State), d.Locale, con.Age(d.LastSuccessAt), display.Clock(d.LastSuccessAt),
			con.Age(d.LastFailureAt), display.Clock(d.LastFailureAt), string(d.LastFailure))
	}
	if c.Output.JSON() {
		return nil
	}
	none := "no devices yet: register some with belfry devices import or put"
	if c.User != "" {
		none = "no devices of user " + visible.Field(c.User)
	}
	return table.Print(con, c.Output.Wide(), none)
}
