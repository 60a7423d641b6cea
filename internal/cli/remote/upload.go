package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/visible"
)

// transfer says how a file is uploaded to a batch.
type transfer struct {
	batch    string
	first    int64         // number in the batch of the file's first line
	there    int64         // lines that the batch has already
	plain    bool          // without compression
	patience time.Duration // how long the server may be away
}

// uploaded is what became of a file of recipients. Lines are those of the file.
type uploaded struct {
	total   client.UploadResult
	skipped int64 // lines that were not sent, because the batch has them
	lines   int64 // of the file, as far as it was read
	refused int64
	faults  []client.LineError // the first of the refused
	warned  []client.LineError // the first of those that were taken without something
}

// maxShown is how many refused lines are printed one by one.
const maxShown = 20

// uploading is one upload under way.
type uploading struct {
	transfer

	r     *recipients
	up    *client.Uploader
	show  *progress.Upload
	where fileLines
	out   uploaded
	told  int // faults of the uploader's total that are in out
	heard int // and warnings
}

// upload sends a file's recipients to a batch; those that are there are passed
// over. What was refused is printed, after an error too.
func upload(ctx context.Context, con *display.Console, c *client.Client, r *recipients, t transfer) (uploaded, error) {
	u := &uploading{transfer: t, r: r, show: progress.New(con.Err, con.Terminal).Upload(r.size)}
	opts := []client.CallOption{client.WithUploadProgress(u.progress)}
	if r.header != nil {
		opts = append(opts, client.WithCSVHeader(r.header))
	}
	if !t.plain {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return u.out, fmt.Errorf("compress with zstd: %w", err)
		}
		defer func() { _ = enc.Close() }()
		opts = append(opts, client.WithCompression(client.Compression{Name: "zstd", Encode: enc.EncodeAll}))
	}
	u.up = c.Uploader(t.batch, max(t.first, t.there+1), opts...)
	err := u.feed(ctx)
	if err == nil {
		err = u.persist(ctx, func() error {
			_, err := u.up.Flush(ctx)
			return err
		})
	}
	u.show.Close()
	u.out.total = u.up.Total()
	u.out.total.Watermark = max(u.out.total.Watermark, t.there)
	u.out.refused = u.out.total.Invalid
	printRefused(con.Err, r.name, u.out)
	printWarned(con.Err, r.name, u.out)
	if u.out.refused > maxShown {
		_, _ = fmt.Fprintf(con.Err, "belfry batch report %s --class invalid has them all.\n", t.batch)
	}
	return u.out, err
}

// feed hands every line of the file to the uploader.
func (u *uploading) feed(ctx context.Context) error {
	for number := u.first; ; number++ {
		line, at, err := u.r.source.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", u.r.name, at, err)
		}
		u.out.lines++
		if number <= u.there {
			u.out.skipped++
			if err := context.Cause(ctx); err != nil {
				return err
			}
			continue
		}
		if u.where.from == nil {
			u.show.From(number-1, u.r.read.n)
		}
		u.where.add(number, at)
		if err := u.persist(ctx, func() error { return u.up.AddLine(ctx, line) }); err != nil {
			return err
		}
	}
}

// progress takes a part's result in.
func (u *uploading) progress(t client.UploadResult) {
	for ; u.told < len(t.Errors); u.told++ {
		f := t.Errors[u.told]
		f.Line = u.where.file(f.Line)
		if len(u.out.faults) < maxShown {
			u.out.faults = append(u.out.faults, f)
		}
	}
	for ; u.heard < len(t.Warnings); u.heard++ {
		f := t.Warnings[u.heard]
		f.Line = u.where.file(f.Line)
		if len(u.out.warned) < maxShown {
			u.out.warned = append(u.out.warned, f)
		}
	}
	u.where.settle(t.Watermark)
	u.show.Update(t.Watermark, t.Invalid, u.r.read.n)
}

func printRefused(w io.Writer, name string, u uploaded) {
	printLines(w, name, "refused", u.refused, u.faults)
}

func printWarned(w io.Writer, name string, u uploaded) {
	printLines(w, name, "taken in part", u.total.Warned, u.warned)
}

// printLines prints what became of some lines of a file, and why: of all of them
// those that are known.
func printLines(w io.Writer, name, fate string, all int64, known []client.LineError) {
	if all == 0 {
		return
	}
	visible.Fields(&known)
	var b strings.Builder
	lines := "lines"
	if all == 1 {
		lines = "line"
	}
	if name == stdinName {
		name = "standard input"
	}
	fmt.Fprintf(&b, "%s %s of %s %s:\n", progress.Group(all), lines, name, fate)
	told := map[int64]struct{}{}
	for _, f := range known {
		at := fmt.Sprintf("line %d", f.Line)
		if f.Pointer != "" {
			at += " " + f.Pointer
		}
		fmt.Fprintf(&b, "  %s: %s\n", at, f.Detail)
		told[f.Line] = struct{}{}
	}
	if more := all - int64(len(told)); more > 0 {
		fmt.Fprintf(&b, "  … and %s more\n", progress.Group(more))
	}
	_, _ = io.WriteString(w, b.String())
}
