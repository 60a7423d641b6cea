package replay

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/belfry-push/belfry/internal/push"
)

// A replay's start and end are told once, with what came of its letters, though two
// processes may execute it.
func TestChangesAreToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		core, logs := observer.New(zap.InfoLevel)
		w.cfg.Log = zap.New(core)
		w.reboot()
		w.crowd(20)
		w.running(always(push.CodeSent), func() {
			executing(t.Context(), w.room, func() {
				executing(t.Context(), w.other(nil), func() {
					run := w.start(Options{})
					w.until(run.ID, time.Minute, completed)
				})
			})
		})
		var got []string
		for _, l := range logs.FilterMessage("replay changed").All() {
			m := l.ContextMap()
			got = append(got, fmt.Sprint(m["state"], " letters ", m["letters"], " replayed ", m["replayed"], " sent ", m["sent"], " not ",
				m["not_sent"], " open ", m["open"], " ", m["most_code"]))
		}
		want := []string{
			"running letters 20 replayed <nil> sent <nil> not <nil> open <nil> <nil>",
			"completed letters 20 replayed 20 sent 20 not 0 open 0 <nil>",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("told\n%q, want\n%q", got, want)
		}
	})
}

// One that stops by itself says with what most of its letters failed again.
func TestStopIsToldWithItsCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		core, logs := observer.New(zap.InfoLevel)
		w.cfg.Log = zap.New(core)
		w.reboot()
		w.crowd(20)
		w.running(always(push.CodeFCMInvalidArgument), func() {
			executing(t.Context(), w.room, func() {
				run := w.start(Options{Canary: 0.5, StopIfRefail: 0.2})
				w.until(run.ID, 10*time.Minute, func(r *Run) bool { return r.State == RunStopped })
			})
		})
		lines := logs.FilterMessage("replay changed").All()
		m := lines[len(lines)-1].ContextMap()
		if m["state"] != "stopped" || m["not_sent"] == int64(0) ||
			m["most_code"] != "fcm.invalid_argument" || m["with_most_code"] != m["not_sent"] {
			t.Errorf("told %v", m)
		}
	})
}
