// Package audits are the commands of belfry that read and verify the audit log: of a server, of a data directory or the
// backend on AWS, and of a file that was exported.
package audits

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/cli/direct"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// Commands are the commands, to embed in a grammar.
type Commands struct {
	Audit auditCmd `cmd:"" group:"operate" help:"See who did what, and prove that nobody changed the record of it."`
}

type auditCmd struct {
	List   listCmd   `cmd:"" help:"List who did what, newest first."`
	Export exportCmd `cmd:"" help:"Write a tenant's whole log, with its signed heads, into a file."`
	Verify verifyCmd `cmd:"" help:"Find whatever was changed, removed, moved or added."`
	Key    keyCmd    `cmd:"" help:"Make a key that signs the log."`
}

// Help implements kong's HelpProvider.
func (auditCmd) Help() string {
	return `With --api it asks a running server, with a key that may read the audit log. Without it, it reads the data directory or the
backend on AWS itself, as the local user. Reading is in the log, too.

    belfry audit list --api https://push.example.com --since 1d
    belfry audit verify --data /var/lib/belfry`
}

type exportCmd struct {
	Source direct.Source `embed:""`
	Tenant string        `group:"which" placeholder:"TENANT" help:"Whose log; the key's own unless it is the operator's."`
	To     string        `short:"f" placeholder:"FILE" help:"Where it goes; nothing is overwritten. Default: the output."`
}

// Help implements kong's HelpProvider.
func (exportCmd) Help() string {
	return `The file is NDJSON: a line says whose log it is, a line each is an entry or a signed head, and the last line says that it is
whole. An entry is written byte for byte as its hash covers it; keep the lines as they are.

    belfry audit export -f audit-$(date +%F).ndjson
    belfry audit verify audit-2026-12-01.ndjson --key belfry-audit-public:…`
}

// Run exports.
func (c *exportCmd) Run(ctx context.Context, con *display.Console) error {
	return c.Source.With(ctx, con, func(api *client.Client) (err error) {
		body, err := api.ExportAudit(ctx, c.Tenant)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, body.Close()) }()
		out := con.Out
		if c.To != "" {
			const mode = 0o600
			file, err := os.OpenFile(c.To, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
			if err != nil {
				return err
			}
			defer func() { _ = file.Close() }()
			out = file
		}
		if _, err := io.Copy(out, body); err != nil {
			return fmt.Errorf("export the audit log: %w", err)
		}
		return nil
	})
}

type keyCmd struct{}

// Help implements kong's HelpProvider.
func (keyCmd) Help() string {
	return `Give the secret half to every service as BELFRY_AUDIT_KEY, and keep the public half where whoever writes the store cannot:
belfry audit verify --key takes it. When the key changes, put the former one behind the new one, with a comma.`
}

// Run makes a key.
func (keyCmd) Run(con *display.Console) error {
	k, err := journal.NewKey()
	if err != nil {
		return err
	}
	ring, err := audit.NewKeyring(k)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.Out, "BELFRY_AUDIT_KEY=%s\npublic: %s\n", audit.FormatSecret(k), ring)
	return err
}
