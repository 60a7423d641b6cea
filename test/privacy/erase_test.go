package privacy

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

// TestErasedWhileQueued: a batch is queued, and held back; one of its users is erased, the process
// is killed in the middle of that and another goes on. Then the batch goes on, and reaches everybody
// else. What is sent to the user afterwards, in any way, reaches nobody, until the app registers it.
func TestErasedWhileQueued(t *testing.T) {
	t.Parallel()
	onBoth(t, func(h *house) {
		const others = 120
		token := func(i int) string { return fmt.Sprintf("token-%03d-%s", i, strings.Repeat("x", 140)) }
		var lines strings.Builder
		for i := range others {
			_, _ = fmt.Fprintf(&lines, `{"token":%q}`+"\n", token(i))
		}
		alice := "alice-" + strings.Repeat("x", 140)
		_, err := h.api.PutDevice(h.Context(), "alices-phone", client.Device{Token: alice, Platform: client.PlatformAndroid, UserID: "alice"})
		h.must(err)
		lines.WriteString(`{"user_id":"alice","data":{"name":"Alice"}}` + "\n")
		b, err := h.api.CreateBatch(h.Context(), client.Request{Message: message("Hi"), Throttle: &client.Throttle{PerSecond: 20}})
		h.must(err)
		_, err = h.api.UploadRecipients(h.Context(), b.ID, strings.NewReader(lines.String()), client.UploadOptions{})
		h.must(err)
		_, err = h.api.StartBatch(h.Context(), b.ID)
		h.must(err)
		programs.WaitFor(h.T, "the first sends", func() bool { return len(h.sim.Accepted(h.T)) > 0 })
		_, err = h.api.PauseBatch(h.Context(), b.ID)
		h.must(err)

		q, err := h.api.CreatePrivacyRequest(h.Context(), client.PrivacyOrder{Action: client.PrivacyErase, UserID: "alice", Reference: "t-1"})
		h.must(err)
		h.kill()
		h.start()
		_, err = h.api.ResumeBatch(h.Context(), b.ID)
		h.must(err)
		q = h.erased(q.ID)
		programs.WaitFor(h.T, "the batch", func() bool { return len(h.sim.Accepted(h.T)) == others })
		if q.Counts.Devices != 1 || q.Counts.Deliveries != 1 || q.Counts.Tombstones != 2 || q.Receipt.Reference != "t-1" {
			h.Errorf("counts: %+v", q.Counts)
		}

		for _, to := range []client.Target{{Tokens: []string{alice}}, {UserIDs: []string{"alice"}}, {DeviceIDs: []string{"alices-phone"}}} {
			n, err := h.api.Send(h.Context(), client.Request{To: &to, Message: message("Hi")})
			h.must(err)
			n, err = h.api.Await(h.Context(), n.ID, 0)
			h.must(err)
			if n.Counts.Suppressed != 1 {
				h.Errorf("%+v: %+v", to, n.Counts)
			}
		}
		if n := h.sim.Accepted(h.T)[alice]; n != 0 {
			h.Errorf("an erased user got %d messages", n)
		}

		_, err = h.api.PutDevice(h.Context(), "alices-phone", client.Device{Token: alice, Platform: client.PlatformAndroid, UserID: "alice"})
		h.must(err)
		n, err := h.api.Send(h.Context(), client.Request{To: &client.Target{UserIDs: []string{"alice"}}, Message: message("Welcome back")})
		h.must(err)
		_, err = h.api.Await(h.Context(), n.ID, 0)
		h.must(err)
		if n := h.sim.Accepted(h.T)[alice]; n != 1 {
			h.Errorf("a user who came back got %d messages", n)
		}
	})
}

// many is how many deliveries TestManyDeliveries erases; docs/privacy.md has what 10,000 take.
var many = flag.Int("deliveries", 500, "how many deliveries are erased")

// TestManyDeliveries: every one of them is found, and it says how long that took.
func TestManyDeliveries(t *testing.T) {
	t.Parallel()
	h := &house{T: t, env: []string{"BELFRY_DATA=" + t.TempDir()}}
	h.open()
	_, err := h.api.PutDevice(h.Context(), "phone", client.Device{Token: "a-token", Platform: client.PlatformAndroid, UserID: "alice"})
	h.must(err)
	var last client.Notification
	for range *many {
		last, err = h.api.Send(h.Context(), client.Request{To: &client.Target{UserIDs: []string{"alice"}}, Message: message("Hi")})
		h.must(err)
	}
	_, err = h.api.Await(h.Context(), last.ID, 0)
	h.must(err)
	q := h.erase(client.PrivacyOrder{UserID: "alice"})
	took := q.EndedAt.Sub(q.CreatedAt)
	h.Logf("%d deliveries: %v", q.Counts.Deliveries, took)
	if q.Counts.Deliveries != int64(*many) {
		h.Errorf("counts: %+v", q.Counts)
	}
}
