package remote

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

// usualPatience is how long an upload waits for a server that is away.
const usualPatience = 10 * time.Minute

type batchUploadCmd struct {
	Server     server         `embed:""`
	ID         string         `arg:"" help:"Batch."`
	File       string         `arg:"" help:"Recipients, - for standard input. May be compressed with gzip or zstd."`
	Format     string         `default:"auto" enum:"auto,ndjson,csv,tsv,tokens,users" placeholder:"FORMAT" help:"ndjson, csv, tsv, tokens or users (one a line), or auto: what the file is beyond doubt."`
	Append     bool           `xor:"place" help:"Put the recipients behind those that are there. Without it the file is the batch from its first line on, and what is there already is passed over."`
	Offset     int64          `xor:"place" placeholder:"N" help:"Number in the batch of the file's first line: goes on with an interrupted --append."`
	NoCompress bool           `help:"Do not compress on the wire; by default with zstd, if the server takes it."`
	Patience   time.Duration  `default:"10m" help:"How long to wait for a server that does not answer."`
	Start      bool           `help:"Start the batch afterwards."`
	Output     display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (batchUploadCmd) Help() string {
	return `NDJSON has a recipient a line, {"token": "…"} or {"user_id": "…", "data": {"name": "Ada"}}; CSV has a header row that
names columns token, fid, user_id, device_id, locale, collapse_id and data.<key>. The first line of NDJSON, and the first row of
CSV behind the header, is line 1 of the batch.

After an interruption the same command goes on where the batch ends.`
}

// uploadOutput is a batch as it stands after an upload, and what that brought.
type uploadOutput struct {
	client.Notification

	Upload client.UploadResult `json:"upload"`
}

// Run uploads the file.
func (c *batchUploadCmd) Run(ctx context.Context, con *display.Console) error {
	if c.Offset < 0 {
		return display.Usagef("--offset: must be at least 1, the first line (got %d)", c.Offset)
	}
	api, err := c.Server.connect(con)
	if err != nil {
		return err
	}
	r, err := openRecipients(c.File, c.Format, con.In)
	if err != nil {
		return err
	}
	defer func() { _ = r.close() }()
	r.tell(con)
	before, err := api.Batch(ctx, c.ID)
	if err != nil {
		return err
	}
	t := transfer{batch: c.ID, first: max(c.Offset, 1), there: received(before), plain: c.NoCompress, patience: c.Patience}
	if c.Append {
		t.first = t.there + 1
	}
	up, err := upload(ctx, con, api, r, t)
	if err != nil {
		c.goOn(con, t, up)
		return err
	}
	if up.skipped > 0 {
		_, _ = fmt.Fprintln(con.Err, c.passedOver(up))
	}
	return c.finish(ctx, con, api, up)
}

// goOn says how to go on after an error.
func (c *batchUploadCmd) goOn(con *display.Console, t transfer, up uploaded) {
	_, _ = fmt.Fprintf(con.Err, "%s has %s lines. ", c.ID, progress.Group(up.total.Watermark))
	if c.Append {
		_, _ = fmt.Fprintf(con.Err, "To go on from there:\n  %s\n", c.Server.commandLine("batch upload %s %s --offset %d", c.ID, c.File, t.first))
		return
	}
	_, _ = fmt.Fprintln(con.Err, "The same command goes on from there.")
}

// passedOver says what was not sent. A file that is passed over as a whole may
// be another one, meant to be appended.
func (c *batchUploadCmd) passedOver(up uploaded) string {
	s := fmt.Sprintf("%s had the first %s of %s already", c.ID, lineCount(up.skipped), c.File)
	if up.skipped == up.lines {
		s += "; --append would put the file behind them"
	}
	return s + "."
}

func (c *batchUploadCmd) finish(ctx context.Context, con *display.Console, api *client.Client, up uploaded) error {
	next := api.Batch
	if c.Start {
		next = api.StartBatch
	}
	n, err := next(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		err = display.PrintJSON(con.Out, uploadOutput{Notification: n, Upload: up.total})
	} else {
		err = printNotification(con, n, false)
	}
	if err != nil {
		return err
	}
	if up.refused > 0 {
		return display.StatusError(display.ExitIncomplete)
	}
	return nil
}

// received is how many lines a batch has.
func received(n client.Notification) int64 {
	if n.Received == nil {
		return 0
	}
	return *n.Received
}

// lineCount says how many lines, behind "the first".
func lineCount(n int64) string {
	if n == 1 {
		return "line"
	}
	return progress.Group(n) + " lines"
}
