package traces

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/test/programs"
)

// onBoth runs a test on the embedded backend and on the stand-ins for AWS.
func onBoth(t *testing.T, sampler sdk.Sampler, run func(h *house)) {
	t.Helper()
	for _, backend := range []string{config.BackendEmbedded, config.BackendAWS} {
		t.Run(backend, func(t *testing.T) { run(open(t, backend, sampler)) })
	}
}

const single = `
POST /v1/notifications (server)
  process notifications (consumer)
    process deliveries-high (consumer)
      POST projects/{project}/messages:send (client) sent
      send outcomes (producer) push.delivery.outcome.v1
      send outcomes (producer) push.notification.completed.v1
`

// TestSingle follows one notification from the request to the event of its outcome.
func TestSingle(t *testing.T) { //nolint:paralleltest // the stand-ins are named by the environment
	onBoth(t, sdk.AlwaysSample(), func(h *house) { h.tree(h.send("one").ID, single) })
}

// TestRetried: the second turn goes on below the first, which failed.
func TestRetried(t *testing.T) { //nolint:paralleltest // as above
	onBoth(t, sdk.AlwaysSample(), func(h *house) { h.tree(h.send("sim-internal-1-x").ID, retried) })
}

const retried = `
POST /v1/notifications (server)
  process notifications (consumer)
    process deliveries-high (consumer)
      POST projects/{project}/messages:send (client) fcm.internal fcm.internal
      process deliveries-high (consumer)
        POST projects/{project}/messages:send (client) sent
        send outcomes (producer) push.delivery.outcome.v1
        send outcomes (producer) push.notification.completed.v1
`

// TestFailureIsKept: at a head that samples nothing, what goes well is not kept; what fails
// is, with all that follows.
func TestFailureIsKept(t *testing.T) { //nolint:paralleltest // as above
	onBoth(t, sdk.ParentBased(sdk.NeverSample()), func(h *house) {
		well := h.send("one")
		failed := h.send("sim-internal-1-x")
		var got string
		programs.WaitFor(h.T, "the spans", func() bool {
			got = draw(h.of(failed.ID))
			return strings.Contains(got, "completed")
		})
		_, rest, _ := strings.Cut(got, "\n") // the parent, which is not kept
		_, want, _ := strings.Cut(strings.TrimSpace(retried), "    process deliveries-high")
		if got, want := unindented(rest), unindented("    process deliveries-high"+want); got != want {
			h.Errorf("spans:\n%s\n\nwant:\n%s", got, want)
		}
		if spans := h.of(well.ID); len(spans) != 0 {
			h.Errorf("kept of what went well:\n%s", draw(spans))
		}
	})
}

// TestChunksOfFailures: of a batch's chunks whose head was not sampled, those are kept in which a
// recipient fails, and the recipient's request is told with its row, so that what explains it
// leads there.
func TestChunksOfFailures(t *testing.T) { //nolint:paralleltest // as above
	onBoth(t, sdk.ParentBased(sdk.NeverSample()), func(h *house) {
		var tokens []string
		for i := range 720 {
			tokens = append(tokens, fmt.Sprintf("t-%d", i))
		}
		tokens[700] = "sim-internal-2-x" // of two attempts
		b := h.upload(tokens)
		failed, err := h.api.Traces(h.Context(), b.ID, client.TraceFailed, 3)
		h.must(err)
		slow, err := h.api.Traces(h.Context(), b.ID, client.TraceSlowest, 1)
		h.must(err)
		if len(failed.Deliveries) != 1 || len(slow.Deliveries) != 1 || failed.Deliveries[0].Delivery.Line != 701 ||
			slow.Deliveries[0].TraceID != failed.Deliveries[0].TraceID {
			h.Fatalf("failed %+v, slowest %+v", failed.Deliveries, slow.Deliveries)
		}
		d := failed.Deliveries[0]
		row := strconv.Itoa(d.Delivery.Index)
		programs.WaitFor(h.T, "the spans of the recipient", func() bool {
			asked := 0
			for _, s := range h.of(b.ID) {
				if s.SpanContext.TraceID().String() != d.TraceID {
					h.Errorf("kept of another chunk: %s", s.Name)
				}
				if s.attr("belfry.row") == row && s.attr("error.type") == "fcm.internal" {
					asked++
				}
			}
			return asked == 2
		})
		var steps []string
		for _, s := range d.Steps {
			steps = append(steps, s.Step)
		}
		const want = "accepted started queued expanded taken attempt taken attempt outcome event"
		if got := strings.Join(steps, " "); got != want {
			h.Errorf("steps %s, want %s", got, want)
		}
	})
}

func unindented(s string) string {
	var out strings.Builder
	first := -1
	for line := range strings.Lines(s) {
		text := strings.TrimLeft(line, " ")
		if first < 0 {
			first = len(line) - len(text)
		}
		out.WriteString(line[min(first, len(line)-len(text)):])
	}
	return strings.TrimSpace(out.String())
}

// TestChunked: the chunks of a batch are traces of their own, with links to the batch's;
// of many requests a few are told.
func TestChunked(t *testing.T) { //nolint:paralleltest // as above
	onBoth(t, sdk.AlwaysSample(), func(h *house) {
		b := h.batch(750)
		requests := 0
		var batch, chunks []span
		programs.WaitFor(h.T, "the spans", func() bool {
			batch, chunks, requests = nil, nil, 0
			for _, s := range h.of(b.ID) {
				switch {
				case strings.HasPrefix(s.Name, "POST projects"):
					requests++
					continue
				case s.attr("belfry.chunk") != "" || strings.HasSuffix(s.attr("belfry.event"), "delivery.outcome.v1"):
					chunks = append(chunks, s)
				default:
					batch = append(batch, s)
				}
			}
			return len(chunks) >= 6
		})
		got := draw(chunks)
		const chunk = `create deliveries-high (producer) -> elsewhere
  process deliveries-high (consumer)
    send outcomes (producer) push.delivery.outcome.v1
`
		if got != chunk+chunk {
			h.Errorf("the chunks' spans:\n%s\n\nwant:\n%s%s", got, chunk, chunk)
		}
		traces := map[string]bool{}
		for _, s := range chunks {
			traces[s.SpanContext.TraceID().String()] = true
			for _, l := range s.Links {
				if l.SpanContext.TraceID() != batch[0].SpanContext.TraceID() {
					h.Errorf("a link to another trace: %v", l)
				}
			}
		}
		told, err := h.api.Trace(h.Context(), b.ID, client.LineKey(700))
		h.must(err)
		if id := told.Deliveries[0].TraceID; !traces[id] || told.TraceID != batch[0].SpanContext.TraceID().String() {
			h.Errorf("explained with the traces %s and %s", told.TraceID, id)
		}
		if len(traces) != 2 || requests < 2*16 || requests > 2*17 {
			h.Errorf("%d traces of two chunks, %d requests", len(traces), requests)
		}
	})
}

// batch sends a batch to so many.
func (h *house) batch(n int) client.Notification {
	h.Helper()
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("t-%d", i)
	}
	return h.upload(tokens)
}

// upload sends a batch to tokens.
func (h *house) upload(tokens []string) client.Notification {
	h.Helper()
	b, err := h.api.CreateBatch(h.Context(), client.Request{Message: message})
	h.must(err)
	var lines strings.Builder
	for _, token := range tokens {
		fmt.Fprintf(&lines, `{"token":%q}`+"\n", token)
	}
	_, err = h.api.UploadRecipients(h.Context(), b.ID, strings.NewReader(lines.String()), client.UploadOptions{})
	h.must(err)
	_, err = h.api.StartBatch(h.Context(), b.ID)
	h.must(err)
	b, err = h.api.Await(h.Context(), b.ID, 0)
	h.must(err)
	return b
}

// TestReplayed: a dead letter is replayed in a trace of its own, with a link to the turn that
// gave its recipient up.
func TestReplayed(t *testing.T) { //nolint:paralleltest // as above
	onBoth(t, sdk.AlwaysSample(), func(h *house) {
		n := h.send("sim-internal-2-x")
		programs.WaitFor(h.T, "the letter", func() bool {
			_, err := h.api.DrainDeadLetters(h.Context())
			h.must(err)
			stats, err := h.api.DeadLetterStats(h.Context(), client.DeadLetterFilter{})
			h.must(err)
			return stats.ByState[client.DeadLetterParked] == 1
		})
		s, err := h.api.Simulate(h.Context(), client.SimulateRequest{All: true})
		h.must(err)
		r, err := h.api.StartReplay(h.Context(), client.ReplayRequest{Simulation: s.ID, AtOnce: true, Max: 1})
		h.must(err)
		programs.WaitFor(h.T, "the replay", func() bool {
			r, err = h.api.Replay(h.Context(), r.ID)
			h.must(err)
			return r.Done()
		})
		h.tree(n.ID, `
POST /v1/notifications (server)
  process notifications (consumer)
    process deliveries-high (consumer)
      POST projects/{project}/messages:send (client) fcm.internal fcm.internal
      process deliveries-high (consumer) attempts_exhausted
        POST projects/{project}/messages:send (client) fcm.internal fcm.internal
        send outcomes (producer) push.delivery.outcome.v1
        send outcomes (producer) push.notification.completed.v1
create deliveries-replay (producer) -> process deliveries-high
  process deliveries-replay (consumer)
    POST projects/{project}/messages:send (client) sent
    send outcomes (producer) push.delivery.outcome.v1
`)
	})
}
