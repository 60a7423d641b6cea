package upload

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/sandbox"
)

// TestOverrides uploads the same recipients as NDJSON, as CSV and compressed,
// and looks at what the simulator was sent.
func TestOverrides(t *testing.T) {
	t.Parallel()
	where := sandbox.Start(t, 3, zap.NewNop())
	api, err := client.New(where.API, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"phone", "tablet"} {
		if _, err := api.PutDevice(t.Context(), id, client.Device{Token: "ann-" + id, Platform: "android", UserID: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	const header, rows = "token,user_id,data.name,locale,collapse_id\n", "plain,,,,\nboth,,Ada,de-DE,c1\n,ann,\"A, \"\"B\"\"\",fr,\nbad " +
		"token,,,,\n"
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = encoder.Close() }()
	packed := encoder.EncodeAll([]byte(header+rows), nil)
	for _, u := range []struct {
		name, body string
		o          client.UploadOptions
	}{
		{"NDJSON", `{"token":"plain"}
{"token": "both", "data": {"name": "Ada"}, "locale": "de-DE", "collapse_id": "c1"}
{"user_id":"ann","data":{"name":"A, \"B\""},"locale":"fr"}
{"token":"bad token"}
`, client.UploadOptions{Offset: 1}},
		{"CSV", header + rows, client.UploadOptions{Offset: 1, CSV: true}},
		{"CSV with zstd", string(packed), client.UploadOptions{Offset: 1, CSV: true, Encoding: "zstd"}},
	} {
		b, err := api.CreateBatch(t.Context(),
			client.Request{Message: json.RawMessage(`{"notification":{"title":"Hi"},"data":{"name":"you","screen":"home"}}`)})
		if err != nil {
			t.Fatal(err)
		}
		res, err := api.UploadRecipients(t.Context(), b.ID, strings.NewReader(u.body), u.o)
		if err != nil || res.Accepted != 3 || res.Invalid != 1 || res.Watermark != 4 {
			t.Fatalf("%s: %+v, %v", u.name, res, err)
		}
		if _, err := api.StartBatch(t.Context(), b.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := api.Await(t.Context(), b.ID, 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"plain": "you home " + b.ID, "both": "Ada home c1", "ann-phone": `A, "B" home ` + b.ID, "ann-tablet": `A, "B" home ` + b.ID,
		}
		if diff := cmp.Diff(want, sent(t, where.Sim, b.ID)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", u.name, diff)
		}
		var invalid []client.LineError
		for l, err := range api.InvalidLines(t.Context(), b.ID) {
			if err != nil {
				t.Fatal(err)
			}
			invalid = append(invalid, l)
		}
		if len(invalid) != 1 || invalid[0].Line != 4 || invalid[0].Pointer != "/token" {
			t.Errorf("%s: refused lines are %+v", u.name, invalid)
		}
	}
}

// sent returns what the simulator accepted of a batch, by token: data.name,
// data.screen and the tag that replaces an earlier message.
func sent(t *testing.T, simulator, batch string) map[string]string {
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
	out := map[string]string{}
	for dec := json.NewDecoder(res.Body); dec.More(); {
		var row struct {
			Token    string
			BelfryID string `json:"belfry_id"`
			Body     struct {
				Message struct {
					Data    map[string]string
					Android struct{ Notification struct{ Tag string } }
				}
			}
		}
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		if m := row.Body.Message; row.BelfryID == batch {
			out[row.Token] = m.Data["name"] + " " + m.Data["screen"] + " " + m.Android.Notification.Tag
		}
	}
	return out
}
