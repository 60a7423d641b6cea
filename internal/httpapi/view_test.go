package httpapi

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// Promise 1, as a caller sees it: whatever the lines hold, the classes add up
// to what was accepted.
func TestCountsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var v report.View
		drawn := rapid.SliceOfN(rapid.Int64Range(0, 3), len(v.Counts.ByCode), -1).Draw(t, "by code")
		for i := range v.Counts.ByCode {
			n := drawn[i]
			v.Counts.ByCode[i] = n
			v.Counts.Recipients += n
		}
		v.Open = v.Counts.ByCode[push.CodeOpen] + rapid.Int64Range(0, 9).Draw(t, "unplanned")
		v.Accepted = v.Counts.Terminal() + v.Open
		c := countsView(&v)
		if sum := c.Open + c.Sent + c.Permanent + c.Ambiguous + c.Suppressed + c.Expired + c.Cancelled + c.DeadLettered; sum != c.Accepted {
			t.Fatalf("classes add up to %d, accepted are %d: %+v", sum, c.Accepted, c)
		}
		var byCode int64
		for _, n := range c.ByCode {
			byCode += n
		}
		if byCode != c.Accepted-c.Open {
			t.Fatalf("codes add up to %d, want %d", byCode, c.Accepted-c.Open)
		}
	})
}

func TestGetBatch(t *testing.T) {
	t.Parallel()
	g := setup(t)
	n, _ := moved("resume", batID)
	n.Progress.StartedAt, n.PerSecond = testNow().Add(-time.Minute), 50
	g.reports.view = report.View{Notification: n, State: push.StateSending, Accepted: 100, Open: 60}
	g.reports.view.Counts = ledger.Counts{Recipients: 90, FirstAt: testNow().Add(-20 * time.Second), LastAt: testNow().Add(-time.Second)}
	g.reports.view.Counts.ByCode[push.CodeOpen] = 50
	g.reports.view.Counts.ByCode[push.CodeSent] = 40
	var got client.Notification
	doortest.Decode(t, g.Do(t, "GET", "/v1/batches/"+batID, "").Want(t, http.StatusOK, "").Body.Bytes(), &got)
	want := client.Counts{Accepted: 100, Open: 60, Sent: 40, ByCode: map[client.Code]int64{"sent": 40}}
	if diff := cmp.Diff(&want, got.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if *got.Rate != 2 || *got.ETASeconds != 30 || *got.Received != 4 || *got.Invalid != 1 || got.Recipients != 100 ||
		got.Throttle.PerSecond != 50 {
		t.Errorf("rate %v, eta %v, received %v, invalid %v, recipients %v, throttle %v", *got.Rate, *got.ETASeconds, *got.Received, *got.Invalid,
			got.Recipients, got.Throttle)
	}
	if want := n.Progress.StartedAt.Add(push.DefaultTTL); !got.ExpiresAt.Equal(want) {
		t.Errorf("expires at %v, want %v", got.ExpiresAt, want)
	}
}

func TestSpeed(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return testNow().Add(time.Duration(s) * time.Second) }
	view := func(state push.State, done, open int64, first, last int) *report.View {
		v := &report.View{
			State: state, Accepted: done + open, Open: open, Counts: ledger.Counts{Recipients: done + open, FirstAt: at(first), LastAt: at(last)},
		}
		v.Counts.ByCode[push.CodeOpen], v.Counts.ByCode[push.CodeSent] = open, done
		return v
	}
	none := &report.View{State: push.StateAccepted}
	early := view(push.StateAccepted, 20, 10, -10, -3)
	early.Notification.Progress.Early = true
	suppressed := view(push.StateCompleted, 0, 0, -10, 0)
	suppressed.Counts.ByCode[push.CodeDuplicate], suppressed.Counts.ByCode[push.CodeCancelled], suppressed.Counts.Recipients = 5000, 70, 5070
	mixed := view(push.StateSending, 20, 10, -10, 0)
	mixed.Counts.ByCode[push.CodeDuplicate], mixed.Counts.Recipients = 5000, 5030
	stopped := view(push.StateSending, 20, 10, -10, 0)
	stopped.Waiting = &report.Waiting{Reason: report.WaitBreaker}
	paced := view(push.StateSending, 20, 10, -10, 0)
	paced.Waiting = &report.Waiting{Reason: report.WaitPace, PerSecond: 2}
	for name, c := range map[string]struct {
		view      *report.View
		rate, eta *float64
	}{
		"nothing was sent":   {suppressed, nil, nil},
		"some was not sent":  {mixed, new(2.0), new(5.0)},
		"it waits for FCM":   {stopped, new(2.0), nil},
		"it has a throttle":  {paced, new(2.0), new(5.0)},
		"too little is done": {view(push.StateSending, 5, 1000, -10, 0), new(0.5), nil},
		"few, but a part":    {view(push.StateSending, 5, 10, -10, 0), new(0.5), new(20.0)},
		"too soon":           {view(push.StateSending, 500, 10, 0, 0), nil, nil},
		"soon":               {view(push.StateSending, 500, 10, -1, 0), new(500.0), nil},

		"nothing yet":       {none, nil, nil},
		"planned only":      {view(push.StateSending, 0, 5, -10, -10), nil, nil},
		"under way":         {view(push.StateSending, 20, 10, -10, -3), new(2.0), new(5.0)},
		"throttled":         {view(push.StateAccepted, 20, 10, -10, -3), new(2.0), new(5.0)},
		"upload goes on":    {early, new(2.0), nil},
		"paused":            {view(push.StatePaused, 20, 10, -10, -3), new(2.0), nil},
		"done a while ago":  {view(push.StateCompleted, 20, 0, -110, -100), new(2.0), nil},
		"done in no time":   {view(push.StateCompleted, 20, 0, -1, -1), nil, nil},
		"cancelled halfway": {view(push.StateCancelled, 20, 0, -30, -20), new(2.0), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rate, eta := speed(c.view, testNow())
			if diff := cmp.Diff(c.rate, rate); diff != "" {
				t.Errorf("rate (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.eta, eta); diff != "" {
				t.Errorf("eta (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGetNotification(t *testing.T) {
	t.Parallel()
	g := setup(t)
	g.reports.view.State = push.StateCompleted
	g.reports.view.Counts.LastAt = testNow()
	var got client.Notification
	doortest.Decode(t, g.Do(t, "GET", "/v1/notifications/"+ntfID, "").Want(t, http.StatusOK, "").Body.Bytes(), &got)
	if got.State != "completed" || got.CompletedAt == nil || got.Rate != nil || got.Received != nil || got.Counts.ByCode == nil {
		t.Errorf("got %+v", got)
	}
	for _, id := range []string{batID, "ntf_", "x", "dev_01890a5d-ac96-774b-bcce-b302099a8057"} {
		g.Do(t, "GET", "/v1/notifications/"+id, "").Want(t, http.StatusNotFound, door.CodeNotFound)
	}
	g.Do(t, "GET", "/v1/batches/"+ntfID, "").Want(t, http.StatusNotFound, door.CodeNotFound)
}

// For how many days a notification is kept stands in the answer to its request, and in that to a repeat long after.
func TestKeepDaysIsShown(t *testing.T) {
	t.Parallel()
	for _, id := range []push.ID{push.NewID(push.PrefixNotification), push.NewID(push.PrefixBatch)} {
		n := push.Notification{ID: id, Progress: push.Progress{State: push.StateCompleted, KeepDays: 7}}
		if first, now := acceptedView(&n), plainView(&n); first.KeepDays != 7 || now.KeepDays != 7 {
			t.Errorf("%s is accepted with %d, and has %d", id, first.KeepDays, now.KeepDays)
		}
	}
}
