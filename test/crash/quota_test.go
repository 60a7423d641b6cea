package crash

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

// TestDispatchersShareTheQuota runs two dispatchers that may both send all of a project's quota, kills one in the middle and
// starts another: the simulator never sees more than the quota from the first request on.
func TestDispatchersShareTheQuota(t *testing.T) {
	t.Parallel()
	const perSecond, all = 200, 1600
	sim := commands.Simulator(t, 20*time.Millisecond)
	store := []string{"BELFRY_DATA=" + t.TempDir(), "BELFRY_VISIBILITY=2s", "BELFRY_LOG_FORMAT=json"}
	_, rest := commands.Start(t, `"listen":"`, "ingest", store, "--listen", "127.0.0.1:0")
	listen, _, _ := strings.Cut(rest, `"`)
	api, err := client.New("http://"+listen, "")
	if err != nil {
		t.Fatal(err)
	}
	dispatch := func() *programs.Process {
		env := slices.Concat(store, []string{"BELFRY_FCM_ENDPOINT=" + sim.Endpoint, "BELFRY_FCM_PER_SECOND=200", "BELFRY_BULK_CHUNKS=2"})
		p, _ := commands.Start(t, `"metrics":"`, "dispatcher", env, "--metrics-listen", "127.0.0.1:0")
		return p
	}
	victim := dispatch()
	dispatch()
	begun := time.Now()
	batch := sendBatch(t, api, all)
	holds := func(when string) {
		t.Helper()
		seen := sim.Stats(t).Requests
		passed := time.Since(begun).Seconds()
		const burst = perSecond / 2 // what a bucket holds at once
		most := burst + perSecond*passed
		t.Logf("%s: %d requests in %.1f s, %.0f %% of the quota", when, seen, passed, 100*float64(seen)/most)
		if float64(seen) > most*1.01 {
			t.Errorf("%s: %d requests in %.1f s, at most %.0f allowed", when, seen, passed, most)
		}
	}
	programs.WaitFor(t, "half", func() bool { return sim.Stats(t).Requests > all/2 })
	holds("two")
	victim.Kill()
	dispatch()
	final, err := api.Await(t.Context(), batch, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	holds("one died, another came")
	if c := final.Counts; c == nil || c.Sent != all {
		t.Errorf("%+v", final.Counts)
	}
}
