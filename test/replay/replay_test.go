package replay

import (
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

// Half of a notification dies in an outage; a replay delivers that half, and
// nobody gets anything twice.
func TestOutage(t *testing.T) {
	t.Parallel()
	onBoth(t, outage)
}

func outage(t *testing.T, h *house) {
	t.Helper()
	const n = 40
	id := push.NewID(push.PrefixNotification)
	h.fcm.outage(func(token string) bool { return strings.HasSuffix(token, "1") || strings.HasSuffix(token, "2") })
	h.send(id, n, nil)
	if c := h.counts(id); c.ByCode[push.CodeAttemptsExhausted] != 8 || c.ByCode[push.CodeSent] != 32 {
		t.Fatalf("outage: %v", c.ByClass())
	}
	if d := h.drain(); d.Letters != 8 || d.Stored != 8 {
		t.Fatalf("drained: %+v", d)
	}
	letters, _, err := h.kept.List(t.Context(), push.LetterFilter{}, "", 100)
	if err != nil || len(letters) != 8 {
		t.Fatalf("%d letters (%v)", len(letters), err)
	}
	l := letters[0]
	if l.Notification != id || l.LastCode != push.CodeFCMUnavailable || l.Pattern != "The service is overloaded (request #)." ||
		l.Template != "welcome" || l.Attempts != 1 {
		t.Errorf("letter: %+v", l)
	}
	h.fcm.outage(nil)
	s := h.replay(predict.SimulateRequest{Filter: push.LetterFilter{Fingerprint: l.Fingerprint}},
		replay.Options{Canary: 0.2, StopIfRefail: 0.1})
	if s.State != replay.RunCompleted || s.Sent != 8 || s.Known != 8 || s.Refailed != 0 {
		t.Errorf("replay: %+v", s)
	}
	if c := h.counts(id); c.ByCode[push.CodeSent] != n {
		t.Errorf("after the replay: %v", c.ByClass())
	}
	if most := h.fcm.most(); most != 1 {
		t.Errorf("a token was sent to %d times", most)
	}
	if d := h.drain(); d.Messages != 0 {
		t.Errorf("the replay made new dead letters: %+v", d)
	}
	detail, err := h.room.Detail(t.Context(), l.ID)
	if err != nil || detail.Ledger != push.CodeSent || len(detail.Evidence) != 3 || detail.Outcome != push.CodeSent ||
		detail.State != push.LetterReplayed {
		t.Errorf("detail: %+v (%v)", detail, err)
	}
}

// An expired, edited letter gets its new deadline and its new message.
func TestEdits(t *testing.T) {
	t.Parallel()
	onBoth(t, edits)
}

func edits(t *testing.T, h *house) {
	t.Helper()
	id := push.NewID(push.PrefixNotification)
	h.fcm.outage(func(string) bool { return true })
	h.send(id, 3, func(n *push.Notification) { n.TTL = 2 * time.Second })
	h.counts(id)
	h.drain()
	h.fcm.outage(nil)
	sim, err := h.room.Simulate(t.Context(), predict.SimulateRequest{All: true})
	if err != nil || sim.Counts[predict.WouldSend]+sim.Counts[predict.Expired] != 3 {
		t.Fatalf("simulated %v (%v)", sim.Counts, err)
	}
	s := h.replay(predict.SimulateRequest{All: true, Edits: predict.Edits{
		ExpireAfter: time.Hour, Patch: []byte(`[{"op":"replace","path":"/notification/title","value":"Sorry, late"}]`),
	}}, replay.Options{})
	if s.State != replay.RunCompleted || s.Sent != 3 || s.Tally.ByOutcome[push.CodeSent] != 3 {
		t.Errorf("replay: %+v", s)
	}
	h.fcm.mu.Lock()
	defer h.fcm.mu.Unlock()
	for token, body := range h.fcm.bodies {
		if !strings.Contains(body, `"title":"Sorry, late"`) || !strings.Contains(body, string(id)) {
			t.Errorf("%s got %s", token, body)
		}
	}
}

// What fails again stops the replay, and waits as new letters that know of it.
func TestRefail(t *testing.T) {
	t.Parallel()
	onBoth(t, refail)
}

func refail(t *testing.T, h *house) {
	t.Helper()
	ids := []push.ID{push.NewID(push.PrefixNotification), push.NewID(push.PrefixNotification)}
	h.fcm.outage(func(string) bool { return true })
	for _, id := range ids {
		h.send(id, 30, nil)
	}
	for _, id := range ids {
		h.counts(id)
	}
	h.drain()
	s := h.replay(predict.SimulateRequest{All: true}, replay.Options{Canary: 0.2, StopIfRefail: 0.2})
	if s.State != replay.RunStopped || s.Refailed != s.Known || s.Sent >= 60 || s.Sent == 0 || !strings.Contains(s.Why, "failed again") {
		t.Fatalf("replay: %+v", s)
	}
	if d := h.drain(); d.Stored != s.Sent {
		t.Errorf("%d letters failed again, %d were stored", s.Sent, d.Stored)
	}
	sim, err := h.room.Simulate(t.Context(), predict.SimulateRequest{All: true})
	if err != nil || sim.Counts[predict.WouldFailAgain] != s.Sent || sim.Counts[predict.WouldSend] != 60-s.Sent {
		t.Errorf("simulated %v after %d refailures (%v)", sim.Counts, s.Sent, err)
	}
	h.fcm.outage(nil)
	if _, err := h.room.Resume(t.Context(), s.ID, "me"); err != nil {
		t.Fatal(err)
	}
	s, err = h.room.Run(t.Context(), s.ID)
	if err != nil || s.State != replay.RunCompleted || s.Sent != 60 {
		t.Errorf("resumed: %+v (%v)", s, err)
	}
	last := h.replay(predict.SimulateRequest{All: true}, replay.Options{})
	if last.State != replay.RunCompleted || h.fcm.most() != 1 {
		t.Errorf("last: %+v, most %d", last, h.fcm.most())
	}
	for _, id := range ids {
		if c := h.counts(id); c.ByCode[push.CodeSent] != 30 {
			t.Errorf("in the end: %v", c.ByClass())
		}
	}
}
