package cost

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/awsmeter"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/cost"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/override"
	"github.com/belfry-push/belfry/internal/pause"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
	"github.com/belfry-push/belfry/internal/status"
)

var (
	statusChunks  = flag.Int("status-chunks", 4, "TestStatusIsBounded: chunks of 500 recipients of each of the four batches")
	statusLetters = flag.Int("status-letters", 480, "TestStatusIsBounded: dead letters")
)

const statusBatches = 4

// yard is an installation on the stand-ins of which the status is looked at.
type yard struct {
	t    testing.TB
	back *app.Backend
	now  time.Time
}

func newYard(tb testing.TB) *yard {
	tb.Helper()
	const prefix = "belfry-seen"
	env := servers.Start(tb).Env()
	if len(env) == 0 {
		tb.Skip("an account is not metered by a test")
	}
	env = append(env, "BELFRY_AWS_PREFIX="+prefix)
	commands.Output(tb, "belfry", env, "provision")
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		tb.Setenv(name, value)
	}
	c := config.Store{Backend: config.BackendAWS, Visibility: 30 * time.Second, AWS: config.AWS{Prefix: prefix}}
	back, err := app.Opener(c, zap.NewNop())(tb.Context(), prometheus.NewRegistry())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = back.Close(tb.Context()) })
	return &yard{tb, back, time.Now().UTC()}
}

// batches puts open batches into the ledger.
func (y *yard) batches(n, chunks int) {
	y.t.Helper()
	const each = 500
	for range n {
		one := push.Notification{
			ID: push.NewID(push.PrefixBatch), Tenant: "tenant", Message: push.Message(`{"notification":{"title":"Hi"}}`),
			AcceptedAt: y.now,
			Progress:   push.Progress{Version: 1, State: push.StateSending, Enqueued: true, Sources: int64(chunks) * each, Pages: 1},
		}
		if _, _, err := y.back.Store.Create(y.t.Context(), one); err != nil {
			y.t.Fatal(err)
		}
		plans := make([]ledger.Plan, chunks)
		for i := range plans {
			plans[i] = ledger.Plan{
				Ref: push.ChunkRef{Notification: one.ID, Seq: i}, Tenant: one.Tenant, Sources: each, Hashes: make([]uint64, each),
				Cells: make([]ledger.Cell, each),
			}
		}
		if _, err := y.back.Store.Plan(y.t.Context(), plans, y.now); err != nil {
			y.t.Fatal(err)
		}
	}
}

// letters stores dead letters of twelve causes and four tenants.
func (y *yard) letters(from, to int) {
	y.t.Helper()
	causes := []push.Code{push.CodeFCMUnavailable, push.CodeFCMInternal, push.CodeNetTimeout, push.CodeFCMQuotaExceeded}
	for ; from < to; from += 100 {
		var ls []push.Letter
		for k := from; k < min(from+100, to); k++ {
			cause, name := causes[k%len(causes)], fmt.Sprintf("app-%d", k/10%3)
			ls = append(ls, push.Letter{
				ID: push.DerivedID(push.PrefixDeadLetter, "t", strconv.Itoa(k)), Kind: push.LetterRecipient,
				Tenant: fmt.Sprintf("tenant-%d", k/10%4), App: name, Queue: push.QueueBulk, Code: push.CodeAttemptsExhausted, LastCode: cause,
				Fingerprint: name + "-" + cause.String(), Notification: push.ID(fmt.Sprintf("ntf_01890a5d-ac96-774b-bcce-%012d", k/10)),
				Cell: k % 10, Turn: 5, State: push.LetterParked, AcceptedAt: y.now, DeadAt: y.now, StoredAt: y.now, Version: 1,
			})
		}
		if _, err := y.back.Store.PutLetters(y.t.Context(), ls); err != nil {
			y.t.Fatal(err)
		}
	}
}

// look reads the status as the first look of a process does, and returns what that took: calls by operation, and read units.
func (y *yard) look(what string, patience time.Duration) (seen status.Status, calls map[awsmeter.Operation]int64, units float64) {
	y.t.Helper()
	reports := report.New(report.Config{
		Notifications: y.back.Store, Chunks: y.back.Store, Pages: y.back.Store, Devices: y.back.Store, Log: zap.NewNop(),
	})
	pauses := pause.New(y.back.Store, nil, zap.NewNop())
	room := app.NewStatus(y.back, app.Overview{
		Reports: reports, Pauses: pauses, Overrides: override.New(y.back.Store, time.Now, zap.NewNop()), Budget: patience, Sums: patience,
	}, time.Now)
	before, begun := y.back.Meter.Snapshot(), time.Now()
	seen = room.Look(y.t.Context(), "")
	took := time.Since(begun)
	room.Close()
	used := y.back.Meter.Snapshot().Since(before)
	y.t.Logf("%s: %v; %d parked, %d open, missing %v; %v, %.1f read units", what, took.Round(time.Millisecond), seen.Letters.Parked, seen.Open,
		seen.Missing, used.Calls, cost.Of(used)[reads])
	return seen, used.Calls, cost.Of(used)[reads]
}

// TestStatusIsBounded counts what a look at the status asks DynamoDB and SQS: as much for many dead letters as for few, and of
// lines of open batches no more than their sums, which nobody waits for.
func TestStatusIsBounded(t *testing.T) { //nolint:paralleltest // one meter, and the environment
	y := newYard(t)
	const few, patience = 120, time.Minute // of every cause, app and tenant
	y.letters(0, few)
	y.look("warm", patience)
	seen, calls, units := y.look("few letters", patience)
	y.letters(few, *statusLetters)
	many, manyCalls, manyUnits := y.look("many letters", patience)
	if seen.Letters.Parked != few || many.Letters.Parked != int64(*statusLetters) || len(seen.Letters.Causes)+seen.Letters.Others != 12 {
		t.Errorf("%d and then %d letters are seen", seen.Letters.Parked, many.Letters.Parked)
	}
	if fmt.Sprint(calls) != fmt.Sprint(manyCalls) || manyUnits > units*1.1 {
		t.Errorf("%d letters take %v, %v units; %d take %v, %v units", few, calls, units, *statusLetters, manyCalls, manyUnits)
	}
	y.batches(statusBatches, *statusChunks)
	open, _, sums := y.look("open batches", patience)
	lines := float64(statusBatches * *statusChunks)
	if open.Open != int64(lines)*500 {
		t.Errorf("%d recipients are open", open.Open)
	}
	// A line and what stands beside it is no more than a unit, and a batch has sixteen partitions that are asked one by one.
	if most := manyUnits + lines + statusBatches*32; sums > most {
		t.Errorf("%v lines take %v units, more than %v", lines, sums-manyUnits, most)
	}
	brief, _, _ := y.look("within its time", 0)
	if brief.Letters.Parked == 0 && len(brief.Missing) == 0 {
		t.Error("a part is left out and not told of")
	}
}
