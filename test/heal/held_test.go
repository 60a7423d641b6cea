package heal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/test/programs"
)

// heldRecipients are as many as the issue tells of that were asked one by one.
const heldRecipients = 3000

// half is every other one's an iPhone.
func half(line int) string {
	if line%2 == 0 {
		return fmt.Sprintf("sim-ios-%06d", line)
	}
	return fmt.Sprintf("sim-android-%06d", line)
}

// sayNo has the simulator refuse what goes to a platform, "" for everybody; as ""
// ends it.
func (h *house) sayNo(platform, as string) {
	h.t.Helper()
	body, err := json.Marshal(map[string]string{"platform": platform, "as": as})
	if err != nil {
		h.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, strings.TrimSuffix(h.sim.Endpoint, "/v1")+"/_sim/refusal",
		bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		h.t.Fatalf("refusal: %s", res.Status)
	}
}

// register makes the devices known with their platform.
func (h *house) register(token func(line int) string) {
	h.t.Helper()
	var lines strings.Builder
	for i := range heldRecipients {
		platform := "android"
		if strings.HasPrefix(token(i+1), "sim-ios-") {
			platform = "ios"
		}
		fmt.Fprintf(&lines, "{\"id\":\"d-%d\",\"token\":%q,\"platform\":%q}\n", i, token(i+1), platform)
	}
	if res, err := h.api.ImportDevices(h.t.Context(), strings.NewReader(lines.String())); err != nil || res.Imported != heldRecipients {
		h.t.Fatalf("imported %+v (%v)", res, err)
	}
}

// sale uploads and starts a batch of 3,000.
func (h *house) sale(token func(line int) string, ttl string) string {
	h.t.Helper()
	b, err := h.api.CreateBatch(h.t.Context(),
		client.Request{Message: json.RawMessage(`{"notification":{"title":"held"}}`), Priority: "bulk", TTL: ttl})
	if err != nil {
		h.t.Fatal(err)
	}
	var lines strings.Builder
	for i := range heldRecipients {
		fmt.Fprintf(&lines, "{\"token\":%q}\n", token(i+1))
	}
	if _, err := h.api.UploadRecipients(h.t.Context(), b.ID, strings.NewReader(lines.String()), client.UploadOptions{Offset: 1}); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.api.StartBatch(h.t.Context(), b.ID); err != nil {
		h.t.Fatal(err)
	}
	return b.ID
}

// settled waits until a notification is held and everybody else has an outcome.
func (h *house) settled(id string, sent int64) client.Notification {
	h.t.Helper()
	var n client.Notification
	programs.WaitForMoment(h.t, look, "the brake", func() bool {
		n = h.state(id)
		return n.State == client.StateHeld && n.Counts.Sent == sent || n.Done()
	})
	return n
}

// refused is how many requests the simulator has refused.
func (h *house) refused() uint64 {
	h.t.Helper()
	s := h.sim.Stats(h.t)
	return s.Requests - s.Accepted
}

// idle waits until a queue is empty, and nobody has anything of it in hand.
func (h *house) idle(queue string) {
	h.t.Helper()
	programs.WaitForMoment(h.t, look, queue+" to be empty", func() bool {
		n, ok := h.depth(queue)
		return ok && n == 0
	})
}

// quiet gives everybody the time to do what they should not.
func (h *house) quiet() {
	pause := time.NewTimer(5 * time.Second) // the janitor takes what is two to four seconds old for lost
	<-pause.C
}

// TestHeldPlatform: there is no APNs key, and half of 3,000 recipients are iPhones.
// Twenty of them are asked; they and the others wait, the rest get the message. A
// dispatcher that is killed changes nothing. With the key, a resume sends the rest.
func TestHeldPlatform(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.accept(unhurried()...)
		h.register(half)
		h.sayNo("ios", "third_party_auth")
		first := h.dispatch("fanout,deliver", visible)
		id := h.sale(half, "1h")
		n := h.settled(id, heldRecipients/2)
		refused := h.refused()
		t.Logf("%d of %d requests were refused", refused, h.sim.Stats(t).Requests)
		if len(n.Held) != 1 || n.Held[0].Platform != "ios" || n.Held[0].Code != "fcm.third_party_auth" || n.Held[0].Refused != 20 ||
			n.Held[0].Scattered {
			t.Fatalf("%s, held %+v, %+v", n.State, n.Held, n.Counts)
		}
		if refused != 20 || n.Counts.Open != heldRecipients/2 {
			t.Errorf("%d requests were refused, want 20; %+v", refused, n.Counts)
		}
		first.Kill()
		h.ingest.Kill()
		h.accept() // with a janitor that is quick to take something for lost
		h.dispatch("fanout,deliver", visible)
		h.idle(push.QueueBulk)
		lost := h.lost()
		h.quiet()
		if n := h.state(id); n.State != client.StateHeld || h.refused() != refused || h.lost() != lost {
			t.Errorf("later: %s, %d requests refused, %d messages taken for lost", n.State, h.refused(), h.lost()-lost)
		}
		h.ingest.Kill()
		h.accept(unhurried()...)
		if tr, err := h.api.Trace(t.Context(), id, client.LineKey(2)); err != nil || len(tr.Notes) != 1 ||
			!strings.Contains(tr.Notes[0], "fcm.third_party_auth") {
			t.Errorf("explained by %+v (%v)", tr.Notes, err)
		}
		h.sayNo("ios", "")
		if _, err := h.api.Resume(t.Context(), id, client.ResumeOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := h.await(id); n.State != "completed" || n.Counts.Sent != heldRecipients || len(n.Held) != 0 {
			t.Errorf("resumed: %s, %+v", n.State, n.Counts)
		}
		if s := h.sim.Stats(t); s.Duplicates != 0 || s.Accepted != heldRecipients {
			t.Errorf("accepted %d, twice %d", s.Accepted, s.Duplicates)
		}
	})
}

// TestHeldMessage: FCM refuses a message for everybody. It may be let go, which asks
// for all of them, or cancelled; without either it expires.
func TestHeldMessage(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.accept(unhurried()...)
		h.sayNo("", "field")
		h.dispatch("fanout,deliver", visible)
		id := h.sale(plain, "")
		n := h.settled(id, 0)
		t.Logf("%d requests were refused", h.refused())
		if len(n.Held) != 1 || n.Held[0].Platform != "unknown" || n.Held[0].Code != "payload.invalid" || h.refused() != 20 ||
			n.Counts.Open != heldRecipients {
			t.Fatalf("%s, held %+v, %+v, %d refused", n.State, n.Held, n.Counts, h.refused())
		}
		if n, err := h.api.CancelBatch(t.Context(), id); err != nil || n.State != "cancelled" {
			t.Fatalf("cancel: %s (%v)", n.State, err)
		}
		programs.WaitForMoment(t, look, "the cancellation", func() bool { return h.state(id).Counts.Cancelled == heldRecipients })

		id, before := h.sale(plain, "20s"), h.refused()
		if h.settled(id, 0); h.refused()-before != 20 {
			t.Errorf("the next: %d refused", h.refused()-before)
		}
		programs.WaitForMoment(t, look, "the end of its time", func() bool { return h.state(id).Counts.Expired == heldRecipients })

		id, before = h.sale(plain, ""), h.refused()
		h.settled(id, 0)
		if _, err := h.api.Resume(t.Context(), id, client.ResumeOptions{BrakeOff: true}); err != nil {
			t.Fatal(err)
		}
		n = h.await(id)
		if n.State != "completed" || n.Counts.Permanent != heldRecipients || !n.BrakeOff || h.refused()-before != heldRecipients+20 {
			t.Errorf("let go: %s, %+v, %d refused", n.State, n.Counts, h.refused()-before)
		}
	})
}

// TestHeldScattered: nobody has told the platforms. Everybody is asked, who is
// refused waits, and gets the message later.
func TestHeldScattered(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.accept(unhurried()...)
		h.sayNo("ios", "third_party_auth")
		h.dispatch("fanout,deliver", visible)
		id := h.sale(half, "")
		n := h.settled(id, heldRecipients/2)
		t.Logf("%d requests were refused", h.refused())
		if len(n.Held) != 1 || n.Held[0].Platform != "unknown" || !n.Held[0].Scattered || n.Counts.Open != heldRecipients/2 {
			t.Fatalf("%s, held %+v, %+v", n.State, n.Held, n.Counts)
		}
		if h.refused() > heldRecipients/2+20 {
			t.Errorf("%d requests refused", h.refused())
		}
		h.sayNo("ios", "")
		if _, err := h.api.ResumeBatch(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if n := h.await(id); n.State != "completed" || n.Counts.Sent != heldRecipients {
			t.Errorf("resumed: %s, %+v", n.State, n.Counts)
		}
		if s := h.sim.Stats(t); s.Duplicates != 0 || s.Accepted != heldRecipients {
			t.Errorf("accepted %d, twice %d", s.Accepted, s.Duplicates)
		}
	})
}

// TestHeldSingle: a notification that names its users is held as a batch is.
func TestHeldSingle(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, h *house) {
		t.Helper()
		h.accept(unhurried()...)
		h.register(half)
		h.sayNo("ios", "third_party_auth")
		h.dispatch("fanout,deliver", visible)
		var to client.Target
		for i := range 200 {
			to.DeviceIDs = append(to.DeviceIDs, fmt.Sprintf("d-%d", i))
		}
		n, err := h.api.Send(t.Context(), client.Request{To: &to, Message: json.RawMessage(`{"notification":{"title":"held"}}`)})
		if err != nil {
			t.Fatal(err)
		}
		id := n.ID
		if n = h.settled(id, 100); n.State != client.StateHeld || h.refused() != 20 {
			t.Errorf("%s, %d refused, %+v", n.State, h.refused(), n.Counts)
		}
		h.sayNo("ios", "")
		if _, err := h.api.Resume(t.Context(), id, client.ResumeOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := h.await(id); n.State != "completed" || n.Counts.Sent != 200 {
			t.Errorf("resumed: %s, %+v", n.State, n.Counts)
		}
	})
}
