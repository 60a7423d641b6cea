package heal

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/programs"
)

// dying is the token of a recipient whose only try fails every deadth time: its
// letter can be delivered.
func dying(line int) string {
	if line%deadth == 0 {
		return fmt.Sprintf("sim-unavailable-1-%d", line)
	}
	return plain(line)
}

const deadth, letters = 25, recipients / 25

// makeDeadLetters sends a batch of which some recipients die, has their letters kept, and
// stops the dispatcher.
func (h *house) makeDeadLetters() (batch string) {
	h.t.Helper()
	h.accept()
	p := h.dispatch("fanout,deliver", "BELFRY_MAX_ATTEMPTS=1")
	id := h.batch(client.Request{}, dying)
	if n := h.await(id); n.State != "completed" || n.Counts.DeadLettered != letters {
		h.t.Fatalf("%s, %+v", n.State, n.Counts)
	}
	p.Kill()
	commands.Output(h.t, "dlq-replayer", h.env(), "drain")
	return id
}

// replay starts a replay of all letters and waits until so much of it was sent.
func (h *house) replay(edits *client.ReplayEdits, request client.ReplayRequest, until func(r *client.Replay) bool) string {
	h.t.Helper()
	s, err := h.api.Simulate(h.t.Context(), client.SimulateRequest{All: true, Edits: edits})
	if err != nil || s.Sends != letters {
		h.t.Fatalf("%d of %d letters would be sent: %v (%v)", s.Sends, letters, s.Counts, err)
	}
	request.Simulation = s.ID
	r, err := h.api.StartReplay(h.t.Context(), request)
	if err != nil {
		h.t.Fatal(err)
	}
	h.replayed(r.ID, until)
	return r.ID
}

// replayed waits until a replay stands as told.
func (h *house) replayed(id string, until func(r *client.Replay) bool) (r client.Replay) {
	h.t.Helper()
	programs.WaitForMoment(h.t, look, "the replay "+id, func() bool {
		var err error
		if r, err = h.api.Replay(h.t.Context(), id); err != nil {
			h.t.Fatal(err)
		}
		return until(&r)
	})
	return r
}

// TestPurgedReplay: the canary of a replay is lost, then the rest of it, while
// nobody executes it. Every letter is delivered once, as it was edited, and the
// batch, which was completed long before, has nothing open.
func TestPurgedReplay(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		batch := h.makeDeadLetters()
		edits := &client.ReplayEdits{
			Patch: json.RawMessage(`[{"op":"replace","path":"/notification/title","value":"once more"}]`), ExpireAfter: "1h",
		}
		id := h.replay(edits, client.ReplayRequest{Canary: 0.3}, func(r *client.Replay) bool { return r.Phase == "watch" && r.Sent > 0 })
		h.purge(push.QueueReplay)
		p := h.dispatch("fanout,deliver", "BELFRY_FCM_PER_SECOND=1000")
		h.replayed(id, func(r *client.Replay) bool { return r.Phase == "main" || r.Phase == "settle" }) // all of the canary is known
		p.Kill()
		h.replayed(id, func(r *client.Replay) bool { return r.Sent == letters })
		if _, err := h.api.PauseReplay(t.Context(), id, ""); err != nil && !strings.Contains(err.Error(), "completed") {
			t.Fatal(err)
		}
		h.purge(push.QueueReplay)
		h.dispatch("fanout,deliver")
		r := h.replayed(id, func(r *client.Replay) bool { return r.Known == letters })
		if r.ByOutcome["sent"] != letters || r.InHand != 0 {
			t.Errorf("%s, outcomes %v, %d in hand", r.State, r.ByOutcome, r.InHand)
		}
		if n := h.state(batch); n.Counts.Sent != recipients || n.Counts.Open != 0 {
			t.Errorf("%s, %+v", n.State, n.Counts)
		}
		h.check(batch, dying)
		for token, title := range h.sim.Titles(t) {
			if want := map[bool]string{true: "once more", false: "heal"}[strings.HasPrefix(token, "sim-")]; title != want {
				t.Errorf("%s got %q, want %q", token, title, want)
			}
		}
		if h.lost() == 0 {
			t.Error("the metrics tell of no lost message")
		}
		t.Logf("%d sent to twice, %d lost chunks", h.sim.Stats(t).Duplicates, h.lost())
	})
}

// TestPurgedReplayExpires: what is lost past the deadline that the replay gave it
// expires, without a dispatcher.
func TestPurgedReplayExpires(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		batch := h.makeDeadLetters()
		id := h.replay(&client.ReplayEdits{ExpireAfter: "3s"}, client.ReplayRequest{}, func(r *client.Replay) bool { return r.Sent == letters })
		h.purge(push.QueueReplay)
		r := h.replayed(id, func(r *client.Replay) bool { return r.Known == letters })
		if r.ByOutcome["expired"] != letters {
			t.Errorf("outcomes %v", r.ByOutcome)
		}
		if n := h.state(batch); n.Counts.Expired != letters || n.Counts.Open != 0 {
			t.Errorf("%s, %+v", n.State, n.Counts)
		}
	})
}
