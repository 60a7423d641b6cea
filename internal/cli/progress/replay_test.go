package progress

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
)

// replayOf answers how a replay of 1,000 letters stands that sends a canary of
// ten, watches it for six seconds, and then sends 50 a second.
func replayOf() func(context.Context) (client.Replay, error) {
	begun := time.Now()
	return func(context.Context) (client.Replay, error) {
		since := time.Since(begun) - 6*time.Second
		r := client.Replay{ID: "rpl_1", State: client.ReplayRunning, Phase: "watch", Total: 1000, Sent: 10}
		if since > 0 {
			r.Phase, r.Sent, r.Known, r.Refailed = "main", min(900, 10+int64(50*since/time.Second)), 10, 1
			r.Skipped = map[string]int64{"expired": 100, "in_delivery": 3}
		}
		if r.Sent == 900 {
			r.State = client.ReplayCompleted
		}
		return r, nil
	}
}

func TestReplayPlainLines(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		r, err := New(&out, false).Replay(t.Context(), replayOf())
		if err != nil || r.State != client.ReplayCompleted {
			t.Fatalf("Replay = %+v, %v", r, err)
		}
		want := `watching the canary: 10 of 1,000 sent, 0 failed again of 0 known
sending: 210 of 1,000 sent, 1 failed again of 10 known, 20/s, ETA 35s
sending: 460 of 1,000 sent, 1 failed again of 10 known, 45/s, ETA 10s
sending: 710 of 1,000 sent, 1 failed again of 10 known, 50/s, ETA 4s
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	})
}

func TestReplayBarAndInterrupt(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		r, err := New(&out, true).Replay(ctx, replayOf())
		if err == nil || r.Sent == 0 || !strings.Contains(out.String(), "sending ") {
			t.Errorf("Replay = %+v, %v: %q", r, err, out.String())
		}
	})
}

func TestRemaining(t *testing.T) {
	t.Parallel()

	for want, r := range map[int64]client.Replay{
		90: {Total: 100, Sent: 10}, 5: {Total: 100, Sent: 10, Max: 15},
		60: {Total: 100, Sent: 10, Skipped: map[string]int64{"expired": 30, "in_delivery": 9}},
		0:  {Total: 100, Sent: 120},
	} {
		if got := remaining(&r); got != want {
			t.Errorf("%+v: %d remain, want %d", r, got, want)
		}
	}
}

// That nobody watches what becomes of a letter is not that it did not fail.
func TestOutcomesOfWhatNobodyWatches(t *testing.T) {
	t.Parallel()

	for want, r := range map[string]client.Replay{
		", 0 outcomes known, 0 failed again":                {Total: 9},
		", 5 outcomes known, 1 failed again":                {Total: 9, Sent: 7, Known: 5, Refailed: 1},
		", 7 not watched":                                   {Total: 9, Sent: 7, Unwatched: 7},
		", 0 outcomes known, 0 failed again, 6 not watched": {Total: 9, Sent: 7, Unwatched: 6},
	} {
		if got := Outcomes(&r); got != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
	w := &replayWatch{}
	w.take(&client.Replay{Total: 9, Sent: 7, Unwatched: 7}, time.Now())
	if got := w.status(); got != "7 of 9 sent, 7 not watched" {
		t.Errorf("status is %q", got)
	}
}

// The bar of a replay that ended early shows how far it came, and only that of a completed
// one is full.
func TestReplayBarStaysWhereItStopped(t *testing.T) {
	t.Parallel()

	for state, full := range map[client.ReplayState]bool{
		client.ReplayStopped: false, client.ReplayPaused: false, client.ReplayCancelled: false, client.ReplayCompleted: true,
	} {
		var out strings.Builder
		_, err := New(&out, true).Replay(t.Context(), func(context.Context) (client.Replay, error) {
			return client.Replay{
				State: state, Total: 1000, Sent: 100, Known: 90, Refailed: 30, RefailedBy: map[client.Code]int64{"fcm.unavailable": 30},
			}, nil
		})
		last := out.String()[strings.LastIndex(out.String(), "["):]
		if err != nil || strings.Contains(last, "-") == full || !strings.Contains(last, "30 failed again of 90 known (fcm.unavailable)") {
			t.Errorf("%s: %q (%v)", state, last, err)
		}
	}
}
