package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/progress"
)

// uploaded is what became of a file of recipients. Lines are those of the file.
type uploaded struct {
	total   client.UploadResult
	refused int64
	faults  []client.LineError // the first of the refused
}

// maxShown is how many refused lines are printed one by one.
const maxShown = 20

// upload sends a file's recipients to a batch; offset is the number that the
// first of them has in the batch. What was refused is printed, after an error too.
func upload(ctx context.Context, con *console, c *client.Client, batch string, r *recipients, offset int64) (uploaded, error) {
	var (
		out   uploaded
		where fileLines
		show  = progress.New(con.err, con.terminal).Upload(r.size)
	)
	note := func(f client.LineError) {
		if out.refused++; len(out.faults) < maxShown {
			out.faults = append(out.faults, f)
		}
	}
	up := c.Uploader(batch, offset, client.WithUploadProgress(func(t client.UploadResult) {
		show.Update(t.Watermark, t.Invalid+out.refused, r.read.n)
	}))
	err := feed(ctx, up, r, offset, &where, note)
	if err == nil {
		_, err = up.Flush(ctx)
	}
	out.total = up.Total()
	show.Close()
	out.merge(&where)
	printRefused(con.err, r.name, out)
	return out, err
}

// feed hands every line of the file to the uploader.
func feed(ctx context.Context, up *client.Uploader, r *recipients, number int64, where *fileLines, refuse func(client.LineError)) error {
	for {
		line, at, err := r.source.next()
		if bad, ok := errors.AsType[*lineError](err); ok {
			refuse(client.LineError{Line: bad.at, Detail: bad.detail})
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", r.name, at, err)
		}
		where.add(number, at)
		number++
		if err := up.AddLine(ctx, line); err != nil {
			return err
		}
	}
}

// merge adds what the server refused to what was not even sent, by line.
func (u *uploaded) merge(where *fileLines) {
	u.refused += u.total.Invalid
	all := u.faults
	for _, f := range u.total.Errors {
		f.Line = where.file(f.Line)
		all = append(all, f)
	}
	sortByLine(all)
	u.faults = all[:min(len(all), maxShown)]
}

func printRefused(w io.Writer, name string, u uploaded) {
	if u.refused == 0 {
		return
	}
	var b strings.Builder
	lines := "lines"
	if u.refused == 1 {
		lines = "line"
	}
	if name == stdinName {
		name = "standard input"
	}
	fmt.Fprintf(&b, "%s %s of %s refused:\n", progress.Group(u.refused), lines, name)
	for _, f := range u.faults {
		at := fmt.Sprintf("line %d", f.Line)
		if f.Pointer != "" {
			at += " " + f.Pointer
		}
		fmt.Fprintf(&b, "  %s: %s\n", at, f.Detail)
	}
	if more := u.refused - int64(len(u.faults)); more > 0 {
		fmt.Fprintf(&b, "  … and %s more\n", progress.Group(more))
	}
	_, _ = io.WriteString(w, b.String())
}
