package operate

import (
	"context"

	"github.com/belfry-push/belfry/internal/app/operations"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
	"github.com/belfry-push/belfry/internal/provision"
)

// Commands are the commands, to embed in a grammar. They run with [Services],
// bound by whoever parses.
type Commands struct {
	Provision provisionCmd `cmd:"" group:"operate" help:"Make what the AWS backend needs: queues, topics, tables and the bucket."`
	Doctor    doctorCmd    `cmd:"" group:"operate" help:"Find out why it would not work, and what to do about it."`
	Backup    backupCmd    `cmd:"" group:"operate" help:"Copy a data directory while it is in use."`
	Repair    repairCmd    `cmd:"" group:"operate" help:"Go on without a file, a log or messages that are lost."`
	Cost      costCmd      `cmd:"" group:"operate" help:"Show what it costs on AWS, estimated or measured."`
}

// Services are what the commands do. Each returns when its work is done or soon
// after ctx ends.
type Services interface {
	// Provision makes what the AWS backend needs, or with c.Plan only looks. The
	// plan says what is there and what was done; it is there with some errors, too.
	Provision(ctx context.Context, c config.Provision) (provision.Plan, error)
	// Doctor examines where a service with these settings would run.
	Doctor(ctx context.Context, c config.Doctor) doctor.Report
	// Backup copies a data directory; progress is told bytes and may be called often.
	Backup(ctx context.Context, c config.Backup, to string, progress func(done, total int64)) (operations.Copy, error)
	// Repair gives up what a data directory or a queue has lost.
	Repair(ctx context.Context, c config.Repair) error
}
