package replayer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/visible"
)

type exportCmd struct {
	Letters letters `embed:""`
	Chosen  read    `embed:""`
	File    string  `arg:"" help:"Archive to write, - for standard output. A name that ends in .zst is compressed."`

	NoAddresses bool `help:"Leave out registration tokens, and queue messages, which may hold some. What is written is to be read: it cannot be imported."`
}

// Help implements kong's HelpProvider.
func (exportCmd) Help() string {
	return `An archive is NDJSON: a header, a letter a line, and a last line that counts them. It holds addresses and messages:
keep it as you keep the store. With --no-addresses there are only lines of letters, without their registration tokens.

    dlq-replayer export --state parked letters.ndjson.zst
    dlq-replayer export - | jq -r 'select(.last_code=="fcm.unavailable") | .user_id'`
}

// Run exports.
func (c *exportCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		packed := strings.HasSuffix(c.File, ".zst")
		if packed && c.NoAddresses {
			return display.Usagef("--no-addresses: is written as plain NDJSON; give a name that does not end in .zst (got %q)", c.File)
		}
		whole, err := d.ExportDeadLetters(ctx, c.Chosen.filter(), packed)
		if err != nil {
			return err
		}
		defer func() { _ = whole.Close() }()
		archive := io.Reader(whole)
		if c.NoAddresses {
			letters := withoutAddresses(whole)
			defer func() { _ = letters.Close() }()
			archive = letters
		}
		if c.File == "-" {
			_, err := io.Copy(con.Out, archive)
			return err
		}
		n, err := replaceFile(c.File, archive)
		if err != nil {
			return fmt.Errorf("export to %s: %w", c.File, err)
		}
		_, _ = fmt.Fprintf(con.Err, "%s bytes written to %s\n", progress.Group(n), c.File)
		return nil
	})
}

// withoutAddresses returns the letters of an archive, a line each, without what tells their
// addresses. An archive that is cut short is an error. Closing it ends the reading.
func withoutAddresses(archive io.Reader) io.ReadCloser {
	out, in := io.Pipe()
	go func() { in.CloseWithError(copyLetters(in, archive)) }()
	return out
}

func copyLetters(to io.Writer, archive io.Reader) error {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	for dec := json.NewDecoder(archive); ; { //nolint:forbidigo // our own export, which no one reads back
		var line map[string]json.RawMessage
		if err := dec.Decode(&line); err != nil {
			return fmt.Errorf("the archive is cut short: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		var kind string
		_ = json.Unmarshal(line["type"], &kind) //nolint:forbidigo // as above; a letter has no type
		switch kind {
		case "end":
			return nil
		case "":
			for _, name := range []string{"address", "body"} {
				delete(line, name)
			}
			if err := enc.Encode(line); err != nil {
				return err
			}
		}
	}
}

// replaceFile writes a file beside its place and moves it there when it is whole
// and durable: an export that breaks off leaves the one before as it was. Only
// its owner may read it.
func replaceFile(name string, from io.Reader) (n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return 0, err
	}
	if n, err = io.Copy(f, from); err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return n, errors.Join(err, os.Remove(f.Name()))
	}
	return n, nil
}

type importCmd struct {
	Letters letters `embed:""`
	File    string  `arg:"" help:"Archive to read, compressed or not, - for standard input."`
}

// Help implements kong's HelpProvider.
func (importCmd) Help() string {
	return `Importing the same archive twice changes nothing. Letters that are parked in the archive and were discarded here since
come ` +
		`back, as new letters.`
}

// Run imports.
func (c *importCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Letters.with(ctx, con, func(d *session) error {
		from := io.NopCloser(con.In)
		if c.File != "-" {
			f, err := os.Open(c.File)
			if err != nil {
				return display.Usagef("%s", err.Error())
			}
			from = f
		}
		defer func() { _ = from.Close() }()
		done, err := d.ImportDeadLetters(ctx, io.NopCloser(from))
		if err != nil {
			return err
		}
		return c.Letters.Output.One(con.Out, done, func() error {
			for _, e := range done.Errors {
				_, _ = fmt.Fprintf(con.Err, "line %d: %s\n", e.Line, visible.Field(e.Detail))
			}
			_, err := fmt.Fprintf(con.Out, "%s letters in the archive, %s of them new\n", progress.Group(done.Letters), progress.Group(done.Stored))
			return err
		})
	})
}
