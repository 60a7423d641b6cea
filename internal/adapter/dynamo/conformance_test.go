package dynamo

import (
	"testing"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/audittest"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/document/documenttest"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/idempotency/idempotencytest"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/quota/quotatest"
	"github.com/belfry-push/belfry/internal/sharedrate/sharedratetest"
	"github.com/belfry-push/belfry/internal/tail/tailtest"
)

var (
	_ ledgertest.Store  = (*Store)(nil)
	_ device.Store      = (*Store)(nil)
	_ idempotency.Store = (*Store)(nil)
	_ document.Store    = (*Store)(nil)
	_ audit.Store       = (*Store)(nil)
	_ letterstest.Store = (*Store)(nil)
)

// Every suite shares one set of tables among its cases, which run in parallel:
// what one case writes must not show in another. Nothing is kept in the process,
// so there is no Restart.

func TestConformanceLedger(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	ledgertest.Run(t, func(*testing.T) ledgertest.Store { return x.store() }, ledgertest.Features{
		// Listings go through global secondary indexes, which are always eventually
		// consistent (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html).
		Lag: x.lag,
	})
}

func TestConformanceDevices(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	devicetest.Run(t, func(*testing.T) device.Store { return x.store() }, devicetest.Features{
		// Lookups by address are eventually consistent reads, which cost half; by
		// user and by quarantine they go through indexes.
		Lag: x.lag,
	})
}

func TestConformanceIdempotency(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	idempotencytest.Run(t, func(*testing.T) idempotency.Store { return x.store() }, idempotencytest.Features{
		// TTL deletes expired items by itself, at no cost
		// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html).
		RemovesItself: true,
	})
}

func TestConformanceDocuments(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	documenttest.Run(t, func(*testing.T) document.Store { return x.store() }, documenttest.Features{})
}

func TestConformanceLetters(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	letterstest.Run(t, func(*testing.T) letterstest.Store { return x.store() }, letterstest.Features{})
}

func TestConformanceSharedRate(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	sharedratetest.Run(t, func(*testing.T) document.Store { return x.store() })
}

func TestConformanceQuotas(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	quotatest.Run(t, func(*testing.T) document.Store { return x.store() })
}

func TestConformanceTail(t *testing.T) {
	t.Parallel()
	tailtest.Run(t, func(t *testing.T) document.Store { t.Helper(); return newTables(t).store() })
}

func TestConformanceAudit(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	audittest.Run(t, func(*testing.T) audit.Store { return x.store() }, audittest.Features{})
}
