package upload

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/sandbox"
)

// outgoing is what the simulator records of how a message is to be delivered.
type outgoing struct {
	Token, Topic string
	Data         map[string]string
	Android      struct {
		TTL, Priority string
		Data          map[string]string
	}
	APNS, Webpush struct{ Headers map[string]string }
}

// accepted returns what the simulator accepted of a notification, by address.
func accepted(t *testing.T, simulator, id string) map[string]outgoing {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, simulator+"/_sim/accepted", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out := map[string]outgoing{}
	for dec := json.NewDecoder(res.Body); dec.More(); {
		var row struct {
			BelfryID string `json:"belfry_id"`
			Body     struct{ Message outgoing }
		}
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		if m := row.Body.Message; row.BelfryID == id {
			out[m.Token+m.Topic] = m
		}
	}
	return out
}

// TestTimeAndUrgencyGoOut sends what is urgent and soon worth nothing through
// the whole of it, to a token, to a topic, and as a batch with data of a
// recipient's own, and looks at what the simulator was sent.
func TestTimeAndUrgencyGoOut(t *testing.T) {
	t.Parallel()
	where := sandbox.Start(t, 3, zap.NewNop())
	api, err := client.New(where.API, "")
	if err != nil {
		t.Fatal(err)
	}
	request := client.Request{
		Message:  json.RawMessage(`{"notification":{"title":"Code 123456"},"data":{"k":"1"},"android":{"data":{"k":"2"}}}`),
		Priority: "high", TTL: "10m",
	}
	var ids []string
	for _, to := range []client.Target{{Tokens: []string{"phone"}}, {Topic: "codes"}} {
		request.To = &to
		n, err := api.Send(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, n.ID)
	}
	request.To = nil
	b, err := api.CreateBatch(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	lines := `{"token":"first","data":{"k":"mine"}}` + "\n" + `{"token":"second","data":{"more":"` + strings.Repeat("x", 4000) + `"}}` +
		"\n" + `{"token":"third"}`
	res, err := api.UploadRecipients(t.Context(), b.ID, strings.NewReader(lines), client.UploadOptions{Offset: 1})
	if err != nil || res.Accepted != 2 || res.Invalid != 1 || res.Errors[0].Pointer != "/data" || res.Errors[0].Line != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := api.StartBatch(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range append(ids, b.ID) {
		n, err := api.Await(t.Context(), id, 20*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		sent := accepted(t, where.Sim, id)
		if len(sent) == 0 {
			t.Errorf("nothing was sent of %s", id)
		}
		for address, m := range sent {
			checkOutgoing(t, address, &m, *n.ExpiresAt)
		}
	}
	if sent := accepted(t, where.Sim, b.ID)["first"]; sent.Data["k"] != "mine" || sent.Android.Data["k"] != "mine" {
		t.Errorf("a recipient's own data went out as %+v", sent)
	}
}

func checkOutgoing(t *testing.T, address string, m *outgoing, expires time.Time) {
	t.Helper()
	var seconds int
	if _, err := fmt.Sscanf(m.Android.TTL, "%ds", &seconds); err != nil || seconds < 500 || seconds > 600 {
		t.Errorf("%s: android.ttl is %q", address, m.Android.TTL)
	}
	if want := strconv.FormatInt(expires.Add(time.Second-1).Unix(), 10); m.APNS.Headers["apns-expiration"] != want {
		t.Errorf("%s: apns-expiration is %q, want %s", address, m.APNS.Headers["apns-expiration"], want)
	}
	if m.Webpush.Headers["TTL"]+"s" != m.Android.TTL || m.Webpush.Headers["Urgency"] != "high" || m.Android.Priority != "high" ||
		m.APNS.Headers["apns-priority"] != "10" {
		t.Errorf("%s: %+v", address, m)
	}
}
