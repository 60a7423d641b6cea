package outage

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/belfry-push/belfry/test/programs"
)

// How long a store is silent, and what follows may take. An attempt at a call
// lasts 3 s and the pause after it 1 s, so that what hung in the silence is tried
// again at most 4 s after its end. What hangs on a connection that stays silent
// hangs for as long as there is one, which in these tests is until their end: so
// the bounds tell that from a machine that is busy, and are not how long it takes.
// How long an attempt, a budget and the retries of a call last is proven where time
// is a bubble's: internal/adapter/awsconf, internal/httpapi/door.
const (
	silence    = 5 * time.Second
	resumption = time.Minute
)

// A store that is silent for seconds stops sending for as long, and not for
// minutes: no request hangs on a connection whose peer says nothing.
func TestSilentTablesStopABatchForSeconds(t *testing.T) {
	t.Parallel()
	for name, loses := range map[string]bool{"held up": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silentTables(t, loses)
		})
	}
}

func silentTables(t *testing.T, loses bool) {
	t.Helper()
	h := newHouse(t)
	h.tables.set(func() { h.tables.loses = loses })
	const recipients, perSecond, singles = 2000, 200, 100
	id := h.batch(recipients, perSecond)
	programs.WaitFor(t, "sending", func() bool { return h.sim.Stats(t).Accepted > 300 })
	single := make(chan int, singles)
	for range singles {
		go func() { single <- h.ask(http.MethodPost, h.ingest+"/v1/notifications", send).status }()
	}
	programs.WaitFor(t, "the first answer", func() bool { return len(single) > 0 })
	h.tables.silent(true)
	begun := time.Now()
	<-time.NewTimer(silence).C
	h.tables.silent(false)
	before := h.sim.Stats(t).Accepted
	programs.WaitFor(t, "sending after the silence", func() bool { return h.sim.Stats(t).Accepted >= before+perSecond })
	after := time.Since(begun) - silence
	t.Logf("%d were sent when the silence ended; sending went on %s later", before, after.Round(10*time.Millisecond))
	if after > resumption {
		t.Errorf("sending went on %s after the end of the silence, want at most %s", after, resumption)
	}
	accepted := 0
	for range singles {
		if <-single == http.StatusAccepted {
			accepted++
		}
	}
	programs.WaitFor(t, "single sends", func() bool { return h.sim.Accepted(t)["t"] >= accepted })
	after = time.Since(begun) - silence
	t.Logf("%d of %d single sends were accepted, and sent %s after the silence", accepted, singles, after.Round(10*time.Millisecond))
	if after > 2*resumption {
		t.Errorf("single sends took %s after the end of the silence, want at most %s", after, 2*resumption)
	}
	programs.WaitForMoment(t, time.Second/2, "the end", func() bool {
		n, err := h.api.Notification(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return n.State == "completed"
	})
	twice := 0
	times := h.sim.Accepted(t)
	delete(times, "t")
	for _, n := range times {
		twice += n - 1
	}
	t.Logf("%d of %d went twice", twice, recipients)
	if len(times) != recipients {
		t.Errorf("%d of %d recipients got it", len(times), recipients)
	}
}

// Requests that need a silent store are answered while it is silent, with when to
// come back; and when it is back, they are done.
func TestRequestsAreAnsweredWithinTheirBudget(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.batch(10, 1000)
	h.tables.silent(true)
	type request struct{ method, path, body string }
	requests := []request{
		{http.MethodPost, "/v1/notifications", `{"to":{"tokens":["t"]},"message":{"notification":{"title":"x"}}}`},
		{http.MethodGet, "/v1/notifications", ""},
		{http.MethodGet, "/v1/notifications/" + id, ""},
		{http.MethodPost, "/v1/batches", `{"message":{"notification":{"title":"x"}}}`},
		{http.MethodPost, "/v1/batches/" + id + "/pause", ""},
		{http.MethodPut, "/v1/devices/d1", `{"token":"t","platform":"android","user_id":"u"}`},
		{http.MethodGet, "/v1/devices/d1", ""},
		{http.MethodDelete, "/v1/devices/d1", ""},
		{http.MethodGet, "/v1/devices?user_id=u", ""},
		{http.MethodGet, "/v1/dead-letters", ""},
		{http.MethodGet, "/v1/dead-letters/groups", ""},
		{http.MethodGet, "/v1/dead-letters/stats", ""},
		{http.MethodGet, "/v1/replays", ""},
	}
	answers := make(chan answer)
	for _, r := range requests {
		go func() {
			a := h.ask(r.method, h.ingest+r.path, r.body)
			if seconds, err := strconv.Atoi(a.after); a.status != http.StatusServiceUnavailable || err != nil || seconds < 1 {
				t.Errorf("%s %s: status %d, Retry-After %q after %s: %s", r.method, r.path, a.status, a.after, a.took, a.body)
			}
			answers <- a
		}()
	}
	var took []time.Duration
	for range requests {
		took = append(took, (<-answers).took)
	}
	slices.Sort(took)
	t.Logf("answered after %s to %s", took[0].Round(10*time.Millisecond), took[len(took)-1].Round(10*time.Millisecond))
	h.tables.silent(false)
	programs.WaitFor(t, "an answer", func() bool {
		return h.ask(http.MethodPost, h.ingest+"/v1/notifications", requests[0].body).status == http.StatusAccepted
	})
}
