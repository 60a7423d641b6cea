package operate

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/belfry-push/belfry/internal/app/operations"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/progress"
	"github.com/belfry-push/belfry/internal/config"
)

type backupCmd struct {
	config.Backup
	To     string         `arg:"" name:"dir" help:"Where the copy goes: a path that does not exist yet."`
	Output display.Output `embed:""`
}

// Help implements kong's HelpProvider.
func (backupCmd) Help() string {
	return `All files are copied as they were at one moment, whether processes use them or not: whatever was answered 202 before it
is in the copy. The copy is synced and checked before it appears under its name; nothing is overwritten. Meanwhile the
write-ahead logs (-wal) grow.

    belfry backup --data /var/lib/belfry /backup/belfry-$(date +%F-%H%M)

To restore: stop every process, move the data directory away, copy the backup to its place, start. What was open at that moment
is sent anew, and flagged, since it may have been sent. On AWS use the backups of DynamoDB and S3.`
}

// Run copies and says what was copied.
func (c *backupCmd) Run(ctx context.Context, con *display.Console, s Services) error {
	began := time.Now()
	bar := progress.New(con.Err, con.Terminal).Bytes("backup")
	made, err := s.Backup(ctx, c.Backup, c.To, bar.Update)
	bar.Close()
	if err != nil {
		return err
	}
	if c.Output.JSON() {
		return display.PrintJSON(con.Out, made)
	}
	return printCopy(con.Out, &made, time.Since(began))
}

func printCopy(w io.Writer, c *operations.Copy, took time.Duration) error {
	var bytes int64
	for _, f := range c.Files {
		bytes += f.Bytes
	}
	_, err := fmt.Fprintf(w, "%s: %d files, %s, as of %s; took %s\n",
		c.Path, len(c.Files), progress.Bytes(bytes), c.At.Format(time.RFC3339Nano), took.Round(time.Millisecond))
	return err
}

type repairCmd struct {
	config.Repair
}

// Help implements kong's HelpProvider.
func (repairCmd) Help() string {
	return `A data directory of which something is missing is refused, because to go on would replace what is lost in silence. The
remedy is a backup: belfry help backup. Where there is none, this command gives up what is lost; belfry doctor says what that is
and what it means. Stop every process that uses the directory first.

    belfry doctor
    belfry repair --lost queue.db

The janitor then has everything sent anew that is open and has no message; nobody is sent to twice without a flag.

When a queue was purged, made anew or restored, on AWS too, nothing is refused and the janitor finds what is lost after
--late-after (20 min). To have it look at once:

    belfry repair --backend aws --lost messages`
}

// Run gives up what is lost and says what follows.
func (c *repairCmd) Run(ctx context.Context, con *display.Console, s Services) error {
	if err := s.Repair(ctx, c.Repair); err != nil {
		return err
	}
	_, err := fmt.Fprintf(con.Out,
		"given up: %s. The janitor of a running ingest, or of the next that starts, has sent anew what is open within a minute; "+
			"belfry_janitor_lost_total counts it.\n",
		c.Lost)
	return err
}
