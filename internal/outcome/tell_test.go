package outcome_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/outcome"
	"github.com/belfry-push/belfry/internal/push"
)

// The end of a batch is one line at info with its sums; that of a notification is at debug.
func TestEndIsTold(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for prefix, level := range map[string]zapcore.Level{push.PrefixBatch: zap.InfoLevel, push.PrefixNotification: zap.DebugLevel} {
		core, logs := observer.New(zap.DebugLevel)
		o := outcome.New(outcome.Config{
			Events: r.world, Log: zap.New(core), Metrics: outcome.NewMetrics(prometheus.NewRegistry()), Now: func() time.Time { return r.now },
		})
		n := notification()
		n.ID, n.AcceptedAt, n.Progress.State = push.NewID(prefix), r.now.Add(-time.Minute), push.StateCompleted
		c := ledger.Counts{Recipients: 10}
		c.ByCode[push.CodeSent], c.ByCode[push.CodeFCMUnregistered], c.ByCode[push.CodeExpired] = 7, 2, 1
		o.Completed(t.Context(), *n, c)
		lines := logs.FilterMessage("everything has its outcome").All()
		if len(lines) != 1 || lines[0].Level != level {
			t.Fatalf("%s: logged %v", prefix, lines)
		}
		for key, want := range map[string]any{
			"recipients": int64(10), "sent": int64(7), "not_sent": int64(3), "most_code": push.CodeFCMUnregistered.String(),
			"with_most_code": int64(2), "took": time.Minute, "state": "completed",
		} {
			if got := lines[0].ContextMap()[key]; got != want {
				t.Errorf("%s: %s is %v, want %v", prefix, key, got, want)
			}
		}
	}
}
