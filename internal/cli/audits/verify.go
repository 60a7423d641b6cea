package audits

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/cli/direct"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/strict"
)

type verifyCmd struct {
	File   string         `arg:"" optional:"" name:"file" help:"An exported log, - for the input. Default: the log of the server or backend."`
	Source direct.Source  `embed:""`
	Tenant string         `group:"which" placeholder:"TENANT" help:"Whose log. Default: of every tenant that may be seen."`
	Key    []string       `group:"which" placeholder:"PUBLIC" help:"Trust heads that this public key signed, and no others; several with commas. Default: the keys that the log names itself."`
	Head   []string       `group:"which" placeholder:"SEQ:HASH" help:"A head that was noted down: the log must have it. Several with commas."`
	Output display.Format `embed:""`
}

// Help implements kong's HelpProvider.
func (verifyCmd) Help() string {
	return `It recomputes every hash and checks every signature. Exit code 1 says that something was found. A file is verified without a
server. Who can write the store can remove its end with all heads of it: note down the head that this command prints, and give
it the next time.

    belfry audit verify
    belfry audit verify --key belfry-audit-public:… --head 1042:9f86d0…
    belfry audit verify audit.ndjson`
}

// Run verifies, and prints what was found.
func (c *verifyCmd) Run(ctx context.Context, con *display.Console) error {
	w, err := c.wanted()
	if err != nil {
		return err
	}
	var reports []audit.Report
	if c.File != "" {
		reports, err = c.file(con, w)
	} else {
		err = c.Source.With(ctx, con, func(api *client.Client) error {
			reports, err = c.all(ctx, api, w)
			return err
		})
	}
	if err != nil {
		return err
	}
	if err := display.Page(c.Output, con.Out, reports, reports, func() error { return show(con, reports, len(c.Key) == 0) }); err != nil {
		return err
	}
	if slices.ContainsFunc(reports, func(r audit.Report) bool { return !r.OK() }) {
		return display.StatusError(display.ExitFailure)
	}
	return nil
}

// wanted is what a log is held to.
type wanted struct {
	tenant string
	keys   []ed25519.PublicKey // none: those that the log names
	heads  []audit.Head
}

func (c *verifyCmd) wanted() (wanted, error) {
	w := wanted{tenant: c.Tenant}
	for _, text := range c.Key {
		k, err := audit.ParsePublic(text)
		if err != nil {
			return w, display.Usagef("--key: %v", err)
		}
		w.keys = append(w.keys, k)
	}
	for _, text := range c.Head {
		seq, hash, err := audit.ParseBrief(text)
		if err != nil {
			return w, display.Usagef("--head: %v", err)
		}
		w.heads = append(w.heads, audit.Head{Seq: seq, Hash: hash})
	}
	return w, nil
}

func (c *verifyCmd) file(con *display.Console, w wanted) ([]audit.Report, error) {
	in := con.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	r, err := verify(in, w, true)
	return []audit.Report{r}, err
}

// all verifies the logs of the tenants that may be seen.
func (c *verifyCmd) all(ctx context.Context, api *client.Client, w wanted) ([]audit.Report, error) {
	tenants := []string{c.Tenant}
	if c.Tenant == "" {
		var err error
		if tenants, err = api.AuditTenants(ctx); err != nil {
			return nil, err
		}
		if len(w.heads) > 0 && len(tenants) != 1 {
			return nil, display.Usagef("--head: say whose it is with --tenant: there are logs of %s", strings.Join(tenants, ", "))
		}
	}
	reports := []audit.Report{}
	for _, t := range tenants {
		body, err := api.ExportAudit(ctx, t)
		if err != nil {
			return nil, err
		}
		w.tenant = t
		r, err := verify(body, w, false)
		if err = errors.Join(err, body.Close()); err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// maxLine bounds a line of an export: an entry has some 20 KiB.
const maxLine = 1 << 20

// verify reads an export. places says whether a finding's place is a line, or a block of the store.
func verify(in io.Reader, w wanted, places bool) (audit.Report, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	e := &exported{wanted: w, lines: places}
	for lines.Scan() {
		e.number++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := e.line(lines.Bytes()); err != nil {
			return audit.Report{}, err
		}
	}
	if err := lines.Err(); err != nil {
		return audit.Report{}, fmt.Errorf("read the export: %w", err)
	}
	return e.finish()
}

// exported is an export that is being verified.
type exported struct {
	wanted

	lines    bool
	number   int
	verifier *audit.Verifier
	first    *client.AuditLine
	kept     []audit.Head
	ended    bool
}

var errNoExport = display.Usagef("this is no exported audit log: its first line does not say so")

func (e *exported) line(text []byte) error {
	var l client.AuditLine
	err := strict.Check(text)
	if err == nil {
		err = json.Unmarshal(text, &l) //nolint:forbidigo // it was checked
	}
	if e.first == nil {
		if err != nil || l.Audit != "v1" {
			return errNoExport
		}
		return e.begin(&l)
	}
	place := e.place(&l)
	if l.Kept != nil && err == nil && e.verifier == nil {
		h, unread := headOf(l.Kept)
		if unread == nil {
			e.kept = append(e.kept, h)
			return nil
		}
		err = unread
	}
	e.start()
	switch {
	case err != nil:
		e.verifier.Malformed(place, "the line can't be read: it is not the JSON of an entry or head")
	case e.ended:
		e.verifier.Malformed(place, "there is a line behind the last one")
	case l.Entry != nil:
		line := audit.Line{Entry: l.Entry}
		if line.Hash.UnmarshalText([]byte(l.Hash)) != nil {
			line.Hash = audit.Hash{} // it fits nothing
		}
		e.verifier.Line(place, line)
	case l.Head != nil:
		if h, unread := headOf(l.Head); unread == nil {
			e.verifier.Head(place, h)
		} else {
			e.verifier.Malformed(place, "the head can't be read: its hash has not 64 hexadecimal digits")
		}
	case l.Removed != nil:
		if h, unread := headOf(l.Removed); unread == nil {
			e.verifier.Checkpoint("checkpoint", audit.Checkpoint(h))
		} else {
			e.verifier.Malformed(place, "the checkpoint can't be read: its hash has not 64 hexadecimal digits")
		}
	case l.End != nil:
		e.ended = true
	default:
		e.verifier.Malformed(place, "the line is neither an entry nor a head")
	}
	return nil
}

func (e *exported) place(l *client.AuditLine) string {
	if !e.lines && l.Block > 0 {
		return fmt.Sprintf("block %d", l.Block)
	}
	return fmt.Sprintf("line %d", e.number)
}

// begin reads the first line.
func (e *exported) begin(l *client.AuditLine) error {
	e.first = l
	if e.tenant == "" {
		e.tenant = l.Tenant
	}
	if len(e.keys) > 0 {
		return nil
	}
	for _, text := range l.Keys {
		k, err := audit.ParsePublic(text)
		if err != nil {
			return display.Usagef("the first line of the export names a key that is none; give the right one with --key")
		}
		e.keys = append(e.keys, k)
	}
	return nil
}

// start begins the verification, when all heads that are kept apart have been read.
func (e *exported) start() {
	if e.verifier == nil {
		slices.SortStableFunc(e.kept, func(a, b audit.Head) int { return int(a.Seq - b.Seq) })
		e.verifier = audit.NewVerifier(e.tenant, 1, audit.Hash{}, e.keys, slices.Values(e.kept), e.heads...)
	}
}

func (e *exported) finish() (audit.Report, error) {
	if e.first == nil {
		return audit.Report{}, errNoExport
	}
	e.start()
	if !e.ended {
		e.verifier.Malformed("end", "the export is cut off: its last line is missing")
	}
	return e.verifier.Finish(), nil
}

func headOf(h *client.AuditHead) (audit.Head, error) {
	out := audit.Head{Tenant: h.Tenant, Seq: h.Seq, Time: h.Time, Key: h.Key, Signature: h.Signature}
	return out, out.Hash.UnmarshalText([]byte(h.Hash))
}

// show prints reports to people.
func show(con *display.Console, reports []audit.Report, named bool) error {
	var b strings.Builder
	for i := range reports {
		write(&b, con, &reports[i])
	}
	if len(reports) == 0 {
		b.WriteString("there is no audit log yet\n")
	} else if named {
		b.WriteString(display.Wrap("The keys are those that the log names itself: give the public key that you noted down with --key to be sure.",
			con.Width, "") + "\n")
	}
	_, err := io.WriteString(con.Out, b.String())
	return err
}

func write(b *strings.Builder, con *display.Console, r *audit.Report) {
	verdict := "nothing is wrong"
	switch n := int64(len(r.Findings)) + r.More; {
	case n == 1:
		verdict = "1 FINDING"
	case n > 1:
		verdict = fmt.Sprintf("%d FINDINGS", n)
	}
	fmt.Fprintf(b, "%s: %d entries (%d to %d), %d signed heads hold: %s\n", r.Tenant, r.Entries, r.First, r.Last, r.Heads, verdict)
	var rows [][]string
	for _, f := range append(slices.Clone(r.Findings), r.Notes...) {
		rows = append(rows, []string{string(f.Fault), span(&f), f.Place, f.Detail})
	}
	if len(rows) > 0 {
		b.WriteString(display.Hanging(rows, con.Width, "  "))
		b.WriteString("\n")
	}
	if c := r.Removed; c != nil {
		text := fmt.Sprintf("entries are there since %s: those up to %d were removed by retention, says a checkpoint of %s signed with key %s",
			r.Since.UTC().Format(time.RFC3339), c.Seq, c.Time.UTC().Format(time.RFC3339), c.Key)
		b.WriteString(display.Wrap(text, con.Width, "  "))
	}
	if r.Head != nil {
		fmt.Fprintf(b, "  head   %s\n  signed %s with key %s\n", r.Head.Brief(), r.Head.Time.UTC().Format(time.RFC3339), r.Head.Key)
	}
}

// span is which entries a finding is about.
func span(f *audit.Finding) string {
	switch {
	case f.Seq == 0:
		return "-"
	case f.Until > f.Seq:
		return fmt.Sprintf("%d-%d", f.Seq, f.Until)
	}
	return strconv.FormatInt(f.Seq, 10)
}
