package outage

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
)

const send = `{"to":{"tokens":["t"]},"message":{"notification":{"title":"x"}}}`

// Each program is ready for its own job: an ingest without the queue is, and
// accepts; without the ledger neither is, and says when to come back.
func TestReadinessFollowsWhatEachProgramNeeds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ready := func(what string, program string, want int, check string, passes bool) {
		t.Helper()
		programs.WaitFor(t, what, func() bool {
			status, checks := h.readiness(program)
			return status == want && (check == "" || (checks[check] == "ok") == passes)
		})
	}
	ready("an ingest", h.ingest, http.StatusOK, "", true)
	ready("a dispatcher", h.dispatch, http.StatusOK, "", true)

	h.sqs.away(true)
	ready("a dispatcher without queues", h.dispatch, http.StatusServiceUnavailable, "queues", false)
	ready("an ingest without queues", h.ingest, http.StatusOK, "outbox", false)
	if a := h.ask(http.MethodPost, h.ingest+"/v1/notifications", send); a.status != http.StatusAccepted {
		t.Errorf("without queues: status %d: %s", a.status, a.body)
	}
	h.sqs.away(false)
	programs.WaitFor(t, "the notification of the outage", func() bool { return h.sim.Stats(t).Accepted == 1 })
	ready("a dispatcher again", h.dispatch, http.StatusOK, "queues", true)

	h.tables.away(true)
	ready("an ingest without tables", h.ingest, http.StatusServiceUnavailable, "ledger", false)
	ready("a dispatcher without tables", h.dispatch, http.StatusServiceUnavailable, "ledger", false)
	a := h.ask(http.MethodPost, h.ingest+"/v1/notifications", send)
	if seconds, err := strconv.Atoi(a.after); a.status != http.StatusServiceUnavailable || err != nil || seconds < 1 {
		t.Errorf("without tables: status %d, Retry-After %q: %s", a.status, a.after, a.body)
	}
	h.tables.away(false)
	ready("an ingest again", h.ingest, http.StatusOK, "", true)
}
