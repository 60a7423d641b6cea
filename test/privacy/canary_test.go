package privacy

import (
	"strings"
	"testing"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

// canary is what stands in every token, user and device id of the test, and must stand nowhere else.
const canary = "canary7531"

// TestCanary sends with distinctive tokens, user and device ids in every way: accepted, refused,
// dead-lettered, replayed, erased, and with faults, each with the same text in its message; then looks
// for them in the whole log at level debug, in what errors answer, in the metrics, and in every span
// that goes to a collector.
func TestCanary(t *testing.T) {
	t.Parallel()
	onBoth(t, func(h *house) {
		var said strings.Builder // problems
		ask := func(method, path, body string) { said.WriteString(h.ask(method, path, body) + "\n") }
		user, phone := canary+"-user", canary+"-phone"
		_, err := h.api.PutDevice(h.Context(), phone, client.Device{Token: canary + "-token", Platform: client.PlatformIOS, UserID: user})
		h.must(err)
		send := func(to client.Target) client.Notification {
			h.Helper()
			n, err := h.api.Send(h.Context(), client.Request{To: &to, Message: message(canary + "-title")})
			h.must(err)
			n, err = h.api.Await(h.Context(), n.ID, 0)
			h.must(err)
			return n
		}
		n := send(client.Target{UserIDs: []string{user, canary + "-nobody"}})
		send(client.Target{DeviceIDs: []string{phone, canary + "-none"}})
		send(client.Target{FIDs: []string{canary + "-fid"}})
		send(client.Target{Tokens: []string{
			canary + "-token", "sim-unregistered-" + canary, "sim-invalid-" + canary, "sim-mismatch-" + canary, "sim-auth-" + canary,
			"sim-internal-1-" + canary, "sim-drop-1-" + canary,
		}})
		h.batch()

		// Faults, each of which names somebody.
		ask("POST", "/v1/notifications", `{"to":{"tokens":["`+canary+` -token"]},"message":{"data":{}}}`)
		ask("POST", "/v1/notifications", `{"to":{"user_ids":["`+user+`"],"tokens":["`+canary+`"]},"message":{"data":{}}}`)
		ask("POST", "/v1/notifications", `{"to":{"user_ids":["`+user+`"]},"`+"x"+`":1}`)
		ask("PUT", "/v1/devices/"+phone+"%20x", `{"token":"`+canary+`-token"}`)
		ask("PUT", "/v1/devices/"+phone, `{"token":"`+canary+`-token","platform":"nokia","user_id":"`+user+`"}`)
		ask("PUT", "/v1/devices/"+phone, `{"id":"`+canary+`-other","token":"`+canary+`-token"}`)
		ask("GET", "/v1/devices/"+canary+"-none", "")
		ask("GET", "/v1/devices?user_id="+user+"&cursor="+canary, "")
		ask("GET", "/v1/notifications/"+n.ID+"/deliveries/user:"+canary+"-nobody-else", "")
		ask("GET", "/v1/notifications/"+n.ID+"/deliveries/token:"+canary+"-unknown", "")
		ask("POST", "/v1/privacy-requests", `{"action":"erase","tokens":["`+canary+` token"],"device_ids":["`+phone+`"]}`)
		ask("POST", "/v1/privacy-requests", `{"action":"forget","user_id":"`+user+`"}`)

		h.replay()
		q := h.erase(client.PrivacyOrder{UserID: user, Tokens: []string{canary + "-token", "sim-internal-1-" + canary}})
		if q.Counts.Deliveries < 4 || q.Counts.DeadLetters < 1 {
			h.Errorf("counts: %+v", q.Counts)
		}
		send(client.Target{UserIDs: []string{user}})
		if !strings.Contains(h.log(), "/v1/notifications") {
			h.Error("the log does not tell of requests: nothing was looked at")
		}
		metrics := h.ask("GET", "/metrics", "")
		h.stop() // which exports what is left
		spans := h.collector.text()
		for _, name := range []string{"POST /v1/notifications", "messages:send", "fcm.unregistered", "create deliveries-replay", "service.name"} {
			if !strings.Contains(spans, name) {
				h.Errorf("no span tells of %s: too little was looked at", name)
			}
		}
		for where, text := range map[string]string{
			"the log": h.log(), "a problem": said.String(), "the metrics": metrics, "a span": spans,
		} {
			for line := range strings.Lines(text) {
				if strings.Contains(line, canary) {
					h.Errorf("%s says who it was: %s", where, line)
				}
			}
		}
	})
}

// batch uploads good and bad lines.
func (h *house) batch() {
	h.Helper()
	b, err := h.api.CreateBatch(h.Context(), client.Request{Message: message(canary + "-title")})
	h.must(err)
	lines := `{"user_id":"` + canary + `-user"}
{"token":"` + canary + ` -bad"}
{"token":"` + canary + `-batch","user":"x"}
{"token":"sim-unavailable-1-` + canary + `"}
`
	_, err = h.api.UploadRecipients(h.Context(), b.ID, strings.NewReader(lines), client.UploadOptions{})
	h.must(err)
	_, err = h.api.StartBatch(h.Context(), b.ID)
	h.must(err)
	_, err = h.api.Await(h.Context(), b.ID, 0)
	h.must(err)
}

// replay drains and replays what died.
func (h *house) replay() {
	h.Helper()
	programs.WaitFor(h.T, "dead letters", func() bool {
		_, err := h.api.DrainDeadLetters(h.Context())
		h.must(err)
		stats, err := h.api.DeadLetterStats(h.Context(), client.DeadLetterFilter{})
		h.must(err)
		return stats.ByState[client.DeadLetterParked] >= 2
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
}
