package dynamo

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// later is a store whose clock is ahead: to it, what others wrote is old. The
// stand-in deletes nothing, and AWS deletes late, so readers must filter.
func (t tables) later(d time.Duration) *Store {
	return New(t.client, Config{Prefix: t.prefix, Now: func() time.Time { return time.Now().Add(d) }})
}

func TestExpiredNotificationsAreAbsent(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s, late := x.store(), x.later(DefaultRetention+time.Minute)
	for _, tokens := range []int{1, 100} { // body inside, body apart
		n := newNotification(tokens)
		n.Tenant = fmt.Sprint("tenant-", tokens)
		n.AcceptedAt = time.Now().UTC().Truncate(time.Microsecond)
		must(t, third(s.Create(t.Context(), n)))
		if _, err := late.Notification(t.Context(), n.ID); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("reading an expired notification: %v", err)
		}
		listed, _, err := late.Notifications(t.Context(), n.Tenant, "", 10)
		must(t, err)
		waiting, err := late.Unenqueued(t.Context(), time.Now().Add(time.Hour), 10)
		must(t, err)
		if len(listed)+len(waiting) != 0 {
			t.Errorf("%d expired notifications are listed and %d wait", len(listed), len(waiting))
		}
		again := n
		again.Labels = map[string]string{"take": "two"}
		stored, created, err := late.Create(t.Context(), again)
		must(t, err)
		if !created {
			t.Error("an expired notification kept its id from a new one")
		}
		same(t, "created", stored, again)
		got, err := late.Notification(t.Context(), n.ID)
		must(t, err)
		same(t, "stored", got, again)
		must(t, late.Advance(t.Context(), n.ID, push.Progress{Version: 1, State: push.StateCancelled, Enqueued: true}))
	}
}

// TestAdvanceKeepsAlive holds that retention counts from the last change.
func TestAdvanceKeepsAlive(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	n := newNotification(100)
	must(t, third(x.store().Create(t.Context(), n)))
	next := n.Progress
	next.Version, next.Enqueued = 1, true
	must(t, x.later(DefaultRetention-time.Minute).Advance(t.Context(), n.ID, next))
	n.Progress = next
	got, err := x.later(2*DefaultRetention-time.Hour).Notification(t.Context(), n.ID)
	must(t, err)
	same(t, "after more than its first retention", got, n)
	// Its body does not move on with it.
	if _, err := x.later(4*DefaultRetention).Notification(t.Context(), n.ID); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("reading what is long gone: %v", err)
	}
}

func TestExpiredChunksAreAbsent(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s, late := x.store(), x.later(DefaultRetention+time.Minute)
	id := push.NewID(push.PrefixBatch)
	old := []ledger.Plan{newPlan(id, 0, 3), newPlan(id, 1, 3)}
	lines, err := s.Plan(t.Context(), old, at())
	must(t, err)
	line, err := lines[0].Claim("owner", 0, at())
	must(t, err)
	must(t, s.SaveLine(t.Context(), line, 0, nil))
	must(t, s.SaveLine(t.Context(), line, line.Epoch, answers(1, at())))

	if _, err := late.Line(t.Context(), line.Ref); !errors.Is(err, push.ErrNotFound) {
		t.Errorf("reading an expired line: %v", err)
	}
	counts, err := late.Counts(t.Context(), id)
	must(t, err)
	same(t, "counts", counts, ledger.Counts{})
	plans, err := late.Plans(t.Context(), id, 0, 10)
	must(t, err)
	attempts, err := late.Attempts(t.Context(), line.Ref)
	must(t, err)
	if len(plans)+len(attempts) != 0 {
		t.Errorf("%d expired plans and %d attempts", len(plans), len(attempts))
	}
	fresh := []ledger.Plan{newPlan(id, 0, 2), newPlan(id, 1, 2)}
	lines, err = late.Plan(t.Context(), fresh, at())
	must(t, err)
	same(t, "planned anew", lines, []ledger.Line{ledger.NewLine(fresh[0], at()), ledger.NewLine(fresh[1], at())})
}

func TestLargeBodyStaysApart(t *testing.T) {
	t.Parallel()
	m := newMeterer(t)
	n := newNotification(0)
	n.Message = push.Message(`{"data":{"k":"` + strings.Repeat("x", 200<<10) + `"}}`) // deflates to little
	must(t, third(m.store.Create(t.Context(), n)))
	notifications := m.prefix + "-notifications"
	head, ok := m.everything(t)[notifications][string(n.ID)]
	if !ok || head.Has("body_at") {
		t.Error("a body that deflates to a few hundred bytes is an item of its own")
	}
	big := newNotification(1000)
	must(t, third(m.store.Create(t.Context(), big)))
	loser := big
	loser.Labels = map[string]string{"second": "caller"}
	stored, created, err := m.store.Create(t.Context(), loser)
	must(t, err)
	if created {
		t.Error("the same id was created twice")
	}
	same(t, "what the second caller found", stored, big)
	bodies := 0
	for _, i := range m.everything(t)[notifications] {
		if strings.Contains(i.Text(table.AttrID), "#body#") {
			bodies++
		}
	}
	if bodies != 1 {
		t.Errorf("%d bodies are stored, want the winner's alone", bodies)
	}
}
