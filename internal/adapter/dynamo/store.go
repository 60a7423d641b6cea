package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/audits"
	"github.com/belfry-push/belfry/internal/adapter/dynamo/devices"
	"github.com/belfry-push/belfry/internal/adapter/dynamo/documents"
	"github.com/belfry-push/belfry/internal/adapter/dynamo/idempotency"
	"github.com/belfry-push/belfry/internal/adapter/dynamo/ledger"
	"github.com/belfry-push/belfry/internal/adapter/dynamo/letters"
	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
)

type (
	// Config is what a [Store] is built from.
	Config = table.Config
	// Meter learns what every call cost.
	Meter = table.Meter
	// Table is one table as it must be.
	Table = table.Table
	// Index is a global secondary index of a table.
	Index = table.Index
)

// DefaultRetention is how long a notification and all that belongs to it is
// kept after its last change.
const DefaultRetention = table.DefaultRetention

// The drivers of the single ports.
type (
	notificationLedger = ledger.Store
	deviceRegistry     = devices.Store
	deadLetters        = letters.Store
	configuration      = documents.Store
	idempotencyRecords = idempotency.Store
	auditLog           = audits.Store
)

// Store drives the ports ledgertest.Store, device.Store, idempotency.Store,
// document.Store, audit.Store and replay.Letters on DynamoDB. It is safe for concurrent use by
// any number of goroutines and processes; every write is durable when it returns.
// Errors of DynamoDB itself are [*table.Error] somewhere in the chain.
type Store struct {
	*notificationLedger
	*deviceRegistry
	*deadLetters
	*configuration
	*idempotencyRecords
	*auditLog
}

// New returns a store on the tables of an installation (see [Tables]). How
// often a failed call is tried is set on the client (aws.Config's
// RetryMaxAttempts); everything here survives a repeated call.
func New(client *dynamodb.Client, cfg Config) *Store { return newStore(client, client, cfg) }

func newStore(r table.Reader, w table.Writer, cfg Config) *Store {
	c := table.NewClient(r, w, cfg, Tables(cfg.Prefix))
	return &Store{
		notificationLedger: ledger.New(c, cfg.Prefix),
		deviceRegistry:     devices.New(c, cfg.Prefix),
		deadLetters:        letters.New(c, cfg.Prefix),
		configuration:      documents.New(c, cfg.Prefix),
		idempotencyRecords: idempotency.New(c, cfg.Prefix),
		auditLog:           audits.New(c, cfg.Prefix),
	}
}
