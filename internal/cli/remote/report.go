package remote

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

type batchReportCmd struct {
	Server server       `embed:""`
	ID     string       `arg:"" help:"Batch."`
	Out    string       `short:"O" default:"-" placeholder:"FILE" help:"Where to write it; - is standard output. A file appears when it is whole."`
	Class  client.Class `help:"Only this class, such as permanent or open; failed: all that ended and was not sent, and lines that were refused; invalid: only those lines."`
	Code   client.Code  `help:"Only this code, such as fcm.unregistered."`
	Format string       `default:"ndjson" enum:"ndjson,csv" placeholder:"FORMAT" help:"ndjson: a JSON object a line, with every attempt; csv: a row each, with the last attempt."`
	discretion
}

// discretion is for what leaves the house.
type discretion struct {
	NoAddresses bool `help:"Leave out what tells of registration tokens, their hashes too; users and devices are named by your own ids."`
}

// hide takes out of a delivery what tells of its address.
func (o discretion) hide(d *client.Delivery) {
	if o.NoAddresses {
		d.AddressHash = ""
	}
}

// Help implements kong's HelpProvider.
func (batchReportCmd) Help() string {
	return `One row per recipient, duplicates included, with the line of the upload; without --class and --code, behind them one
for every line that was refused. Rows are read page by page, so a million take little memory, and a broken connection is made
again.

    belfry batch report bat_… -O report.ndjson
    belfry batch report bat_… --class failed --no-addresses -O for-the-agency.ndjson
    belfry batch report bat_… --class permanent --format csv | cut -d, -f1,5 # line, code`
}

// Run writes the report.
func (c *batchReportCmd) Run(ctx context.Context, con *display.Console) error {
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	if c.Class == client.ClassInvalid && c.Code != "" {
		return display.Usagef("--code: is the outcome of a delivery, and a refused line has none (got %q)", c.Code)
	}
	rows := 0
	write := func(w io.Writer) error {
		out := reportRows(w, c.Format)
		for d, err := range c.rows(ctx, api) {
			if err != nil {
				return fmt.Errorf("the report broke off after %d rows: %w", rows, err)
			}
			c.hide(&d)
			if err := out.row(&d); err != nil {
				return fmt.Errorf("write row %d: %w", rows+1, err)
			}
			rows++
		}
		return out.flush()
	}
	if c.Out == stdinName {
		return write(con.Out)
	}
	if err := writeWhole(c.Out, write); err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.Err, "%s rows in %s\n", progress.Group(int64(rows)), c.Out)
	return err
}

// rows returns what the report consists of. Deliveries are asked for page by
// page, which survives more than the API's own report in one stream.
func (c *batchReportCmd) rows(ctx context.Context, api *client.Client) iter.Seq2[client.Delivery, error] {
	refused := api.Report(ctx, c.ID, client.DeliveryFilter{Class: client.ClassInvalid})
	if c.Class == client.ClassInvalid {
		return refused
	}
	deliveries := api.Deliveries(ctx, c.ID, client.DeliveryFilter{Class: c.Class, Code: c.Code})
	if c.Class != "" && c.Class != client.ClassFailed || c.Code != "" {
		return deliveries
	}
	return func(yield func(client.Delivery, error) bool) {
		for _, part := range []iter.Seq2[client.Delivery, error]{deliveries, refused} {
			for d, err := range part {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// refusedRow is a refused line as the API's report has it: without what only a
// delivery has.
type refusedRow struct {
	Line    int64  `json:"line"`
	Class   string `json:"class"`
	Code    string `json:"code"`
	Pointer string `json:"pointer,omitempty"`
	Detail  string `json:"detail"`
}

// writeWhole writes a file beside its place and moves it there when it is whole.
func writeWhole(name string, write func(io.Writer) error) error {
	f, err := os.Create(name + ".part") //nolint:gosec // the caller's own file
	if err != nil {
		return err
	}
	err = write(f)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("%w (what there is stands in %s)", err, f.Name())
	}
	return os.Rename(f.Name(), name)
}

// rowWriter writes deliveries in a format.
type rowWriter struct {
	row   func(*client.Delivery) error
	flush func() error
}

func reportRows(w io.Writer, format string) rowWriter {
	buf := bufio.NewWriter(w)
	if format == "csv" {
		out := csv.NewWriter(buf)
		header := []string{
			"line", "chunk", "index", "class", "code", "possible_duplicate", "address_hash", "attempts", "last_at", "last_code", "latency_ms",
			"detail", "user_id", "device_id",
		}
		return rowWriter{
			row: func(d *client.Delivery) error {
				if header != nil {
					_ = out.Write(header) // an error stays and comes back below
					header = nil
				}
				return out.Write(csvRow(d))
			},
			flush: func() error {
				if header != nil {
					_ = out.Write(header) // no rows is an answer too
				}
				if out.Flush(); out.Error() != nil {
					return out.Error()
				}
				return buf.Flush()
			},
		}
	}
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	row := func(d *client.Delivery) error {
		if d.Class == client.ClassInvalid {
			return enc.Encode(refusedRow{d.Line, string(d.Class), string(d.Code), d.Pointer, d.Detail})
		}
		return enc.Encode(d)
	}
	return rowWriter{row: row, flush: buf.Flush}
}

func csvRow(d *client.Delivery) []string {
	row := []string{
		"", strconv.Itoa(d.Chunk), strconv.Itoa(d.Index), string(d.Class), string(d.Code), strconv.FormatBool(d.PossibleDuplicate), d.AddressHash,
		strconv.Itoa(len(d.Attempts)), "", "", "", "", d.UserID, d.DeviceID,
	}
	if d.Line > 0 {
		row[0] = strconv.FormatInt(d.Line, 10)
	}
	if d.Class == client.ClassInvalid {
		row[1], row[2] = "", ""
		row[11] = strings.TrimPrefix(d.Pointer+": "+d.Detail, ": ")
	}
	if n := len(d.Attempts); n > 0 {
		last := d.Attempts[n-1]
		row[8], row[9], row[10], row[11] = last.At.UTC().Format(time.RFC3339Nano), string(last.Code), strconv.FormatFloat(
			last.LatencyMS, 'f', -1, 64,
		), last.Detail
	}
	if d.Class != client.ClassInvalid && d.Detail != "" {
		row[11] = d.Detail
	}
	return row
}
