package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

type devicesCmd struct {
	Import devicesImportCmd `cmd:"" help:"Register devices from a file, one JSON object a line."`
	Get    devicesGetCmd    `cmd:"" help:"Show a device."`
	List   devicesListCmd   `cmd:"" help:"List devices, of one user or of all."`
}

type devicesImportCmd struct {
	Server server `embed:""`
	File   string `arg:"" help:"NDJSON, - for standard input."`
	Output output `embed:""`
}

// Help implements kong's HelpProvider.
func (devicesImportCmd) Help() string {
	return `Each line is a device with its id, and replaces what was registered under that id:

    {"id": "dev_…", "token": "…", "platform": "android", "user_id": "alice", "locale": "de-DE"}`
}

// Run imports the file.
func (c *devicesImportCmd) Run(ctx context.Context, con *console) error {
	api, err := c.Server.connect()
	if err != nil {
		return err
	}
	in := con.in
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
	if c.Output.json() {
		err = printJSON(con.out, res)
	} else {
		_, err = fmt.Fprintf(con.out, "%s devices imported\n", progress.Group(res.Imported))
	}
	if err != nil {
		return err
	}
	printRefused(con.err, c.File, uploaded{refused: res.Invalid, faults: res.Errors[:min(len(res.Errors), maxShown)]})
	if res.Invalid > 0 {
		return statusError(ExitIncomplete)
	}
	return nil
}

type devicesGetCmd struct {
	Server server `embed:""`
	ID     string `arg:"" help:"Device."`
}

// Run prints the device as JSON.
func (c *devicesGetCmd) Run(ctx context.Context, con *console) error {
	api, err := c.Server.connect()
	if err != nil {
		return err
	}
	d, err := api.Device(ctx, c.ID)
	if err != nil {
		return err
	}
	return printJSON(con.out, d)
}

type devicesListCmd struct {
	Server server `embed:""`
	User   string `placeholder:"ID" help:"Only those of this user."`
	Output output `embed:""`
}

// Run lists devices: a table without their tokens, or a JSON object a line.
func (c *devicesListCmd) Run(ctx context.Context, con *console) error {
	api, err := c.Server.connect()
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	enc := json.NewEncoder(con.out)
	if !c.Output.json() {
		_, _ = fmt.Fprintln(tw, "ID\tUSER\tPLATFORM\tSTATE\tLOCALE\tLAST SUCCESS\tLAST FAILURE")
	}
	for d, err := range api.Devices(ctx, c.User) {
		if err != nil {
			return err
		}
		if c.Output.json() {
			if err := enc.Encode(d); err != nil {
				return err
			}
			continue
		}
		_, _ = fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.UserID, d.Platform, d.State, d.Locale, clock(d.LastSuccessAt), failure(d))
	}
	return tw.Flush()
}

func failure(d client.Device) string {
	if d.LastFailure == "" {
		return ""
	}
	return d.LastFailure + " " + clock(d.LastFailureAt)
}
