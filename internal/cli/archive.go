package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/belfry-push/belfry/internal/cli/progress"
)

type exportCmd struct {
	Letters letters `embed:""`
	Chosen  read    `embed:""`
	File    string  `arg:"" help:"Archive to write, - for standard output. A name that ends in .zst is compressed."`
}

// Help implements kong's HelpProvider.
func (exportCmd) Help() string {
	return `An archive is NDJSON: a header, a letter a line, and a last line that counts them. It holds addresses and messages: keep it as you keep the store.

    dlq-replayer export --state parked letters.ndjson.zst
    dlq-replayer export - | jq -r 'select(.last_code=="fcm.unavailable") | .user_id'`
}

// Run exports.
func (c *exportCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
		archive, err := d.ExportDeadLetters(ctx, c.Chosen.filter(), strings.HasSuffix(c.File, ".zst"))
		if err != nil {
			return err
		}
		defer func() { _ = archive.Close() }()
		if c.File == "-" {
			_, err := io.Copy(con.out, archive)
			return err
		}
		n, err := replaceFile(c.File, archive)
		if err != nil {
			return fmt.Errorf("export to %s: %w", c.File, err)
		}
		_, _ = fmt.Fprintf(con.err, "%s bytes written to %s\n", progress.Group(n), c.File)
		return nil
	})
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
	return `Importing the same archive twice changes nothing. Letters that are parked in the archive and were discarded here since come back, as new letters.`
}

// Run imports.
func (c *importCmd) Run(ctx context.Context, con *console) error {
	return c.Letters.with(ctx, func(d *desk) error {
		from := io.NopCloser(con.in)
		if c.File != "-" {
			f, err := os.Open(c.File)
			if err != nil {
				return usageError{err.Error()}
			}
			from = f
		}
		defer func() { _ = from.Close() }()
		done, err := d.ImportDeadLetters(ctx, io.NopCloser(from))
		if err != nil {
			return err
		}
		return c.Letters.Output.one(con.out, done, func() error {
			for _, e := range done.Errors {
				_, _ = fmt.Fprintf(con.err, "line %d: %s\n", e.Line, e.Detail)
			}
			_, err := fmt.Fprintf(con.out, "%s letters in the archive, %s of them new\n", progress.Group(done.Letters), progress.Group(done.Stored))
			return err
		})
	})
}
