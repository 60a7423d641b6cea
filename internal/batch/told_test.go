package batch_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/batch"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// What somebody does to a batch is told once, by whom it was done, after how long, and how
// many it concerns, though two processes are asked for it at the same time.
func TestChangesAreToldOnce(t *testing.T) {
	t.Parallel()
	w := loaded(push.StateUploading, 2)
	core, logs := observer.New(zap.InfoLevel)
	clock := time.Unix(100, 0)
	cfg := w.config()
	cfg.Log, cfg.Now = zap.New(core), func() time.Time { return clock }
	processes := []*batch.Batches{batch.New(cfg), batch.New(cfg)}
	ctx := telemetry.By(t.Context(), "night shift")
	for _, op := range []string{"start", "pause", "resume", "cancel"} {
		var both sync.WaitGroup
		for _, b := range processes {
			both.Go(func() {
				if _, err := operations[op](b, ctx, tenant, w.id); err != nil {
					t.Errorf("%s: %v", op, err)
				}
			})
		}
		both.Wait()
		clock = clock.Add(time.Minute)
	}
	var got []string
	for _, l := range logs.FilterMessage("notification changed").All() {
		m := l.ContextMap()
		got = append(got, fmt.Sprint(m["op"], " ", m["by"], " ", m["state"], " ", m["recipients"], " ", m["after"], " ", m["tenant"], " ",
			m["notification"] == string(w.id), " ", m["trace_id"]))
	}
	const rest = " acme true 0af7651916cd43dd8448eb211c80319c"
	want := []string{
		"start night shift accepted 10 <nil>" + rest, "pause night shift paused 10 1m0s" + rest,
		"resume night shift sending 10 2m0s" + rest, "cancel night shift cancelled 10 3m0s" + rest,
	}
	if !slices.Equal(got, want) {
		t.Errorf("told\n%q, want\n%q", got, want)
	}
}
