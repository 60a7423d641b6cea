package heal

import (
	"fmt"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/programs"
)

// TestPurgedWhilePlanned: 2,000 recipients are planned, then the queue is purged.
// All are sent to, once.
func TestPurgedWhilePlanned(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.accept(visible)
		planner := h.dispatch("fanout")
		id := h.batch(client.Request{}, plain)
		h.planned(id)
		planner.Kill()
		h.purge(push.QueueBulk, push.QueueNotifications)
		h.dispatch("fanout,deliver", visible)
		if n := h.await(id); n.State != "completed" || n.Counts.Sent != recipients {
			t.Errorf("%s, %+v", n.State, n.Counts)
		}
		if codes := h.check(id, plain); codes["sent"] != recipients {
			t.Errorf("outcomes: %v", codes)
		}
		if s := h.sim.Stats(t); s.Duplicates != 0 {
			t.Errorf("%d recipients were sent to twice", s.Duplicates)
		}
		if h.lost() < recipients/500 {
			t.Errorf("the metrics tell of %d lost messages", h.lost())
		}
	})
}

// TestPurgedTasks: the tasks are lost before anybody planned anything. A batch
// and single notifications are sent all the same.
func TestPurgedTasks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.accept(visible, "BELFRY_LATE_AFTER=4s")
		ids := []string{h.batch(client.Request{}, plain)}
		for i := range 20 {
			n, err := h.api.Send(t.Context(), client.Request{
				To: &client.Target{Tokens: []string{fmt.Sprintf("single-%d", i)}}, Message: []byte(`{"notification":{"title":"heal"}}`),
			})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, n.ID)
		}
		programs.WaitFor(t, "the outbox, which sends off the request's path", func() bool {
			tasks, _ := h.tasks()
			return tasks >= len(ids)
		})
		h.purge(push.QueueNotifications)
		h.dispatch("fanout,deliver", visible)
		for _, id := range ids {
			if n := h.await(id); n.State != "completed" || n.Counts.Sent != n.Recipients {
				t.Errorf("%s is %s, %+v", id, n.State, n.Counts)
			}
		}
		if s := h.sim.Stats(t); s.Accepted != recipients+20 || s.Duplicates != 0 {
			t.Errorf("%d accepted, %d of them twice", s.Accepted, s.Duplicates)
		}
	})
}

// TestPurgedPastTheDeadline: what was lost until after its time expires.
func TestPurgedPastTheDeadline(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.accept("BELFRY_LATE_AFTER=1h") // nothing is late before its deadline
		planner := h.dispatch("fanout")
		id := h.batch(client.Request{TTL: "20s"}, plain)
		h.planned(id)
		planner.Kill()
		h.purge(push.QueueBulk)
		programs.WaitForMoment(t, look, "the deadline", func() bool { return time.Now().After(*h.state(id).ExpiresAt) })
		h.ingest.Kill()
		h.accept()
		h.dispatch("fanout,deliver")
		if n := h.await(id); n.State != "completed" || n.Counts.Expired != recipients {
			t.Errorf("%s, %+v", n.State, n.Counts)
		}
		h.check(id, plain)
	})
}

// TestPurgedInMidBatch: the queue is purged while some recipients are being sent
// to and others wait for their retry. Nobody is sent to twice without a flag.
func TestPurgedInMidBatch(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.accept()
		p := h.dispatch("fanout,deliver", "BELFRY_FCM_PER_SECOND=400")
		name := func(line int) string {
			if line%100 == 0 {
				return fmt.Sprintf("sim-unavailable-1-%d", line)
			}
			return plain(line)
		}
		id := h.batch(client.Request{}, name)
		programs.WaitFor(t, "some outcomes", func() bool { return h.sim.Stats(t).Accepted >= recipients/4 })
		p.Kill()
		h.purge(push.QueueBulk, push.QueueNotifications)
		h.dispatch("fanout,deliver")
		n := h.await(id)
		if n.State != "completed" || n.Counts.Sent != recipients {
			t.Errorf("%s, %+v", n.State, n.Counts)
		}
		h.check(id, name)
		t.Logf("%d sent to twice, %d flagged", h.sim.Stats(t).Duplicates, n.Counts.PossibleDuplicates)
	})
}

// TestPurgedAndSaid: who says that messages are lost does not wait for the
// janitor's patience.
func TestPurgedAndSaid(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.accept("BELFRY_LATE_AFTER=1h")
		planner := h.dispatch("fanout")
		id := h.batch(client.Request{}, plain)
		h.planned(id)
		planner.Kill()
		h.purge(push.QueueBulk, push.QueueNotifications)
		commands.Output(t, "belfry", h.env(), "repair", "--lost", "messages")
		h.dispatch("fanout,deliver", visible)
		if n := h.await(id); n.State != "completed" || n.Counts.Sent != recipients {
			t.Errorf("%s, %+v", n.State, n.Counts)
		}
		if s := h.sim.Stats(t); s.Duplicates != 0 {
			t.Errorf("%d recipients were sent to twice", s.Duplicates)
		}
	})
}
