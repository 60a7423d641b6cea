package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
)

// file writes a file that lives as long as the test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSendOne(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	msg := file(t, "msg.json", ` {"message": {"data": {"k": "v"}}} `)
	r := belfry(t.Context(), api.URL, nil, "send", "--to-token", "a,b", "--to-token", "c", "--message", msg, "--priority", "high", "--ttl", "6h",
		"--collapse-id", "x", "--label", "k=v;w", "--label", "l=m", "--at-most-once")
	r.expect(t, ExitOK)
	golden(t, "send-one.out", r.out)

	want := `{"to":{"tokens":["a,b","c"]},"message":{"data":{"k":"v"}},"priority":"high","delivery_guarantee":"at_most_once","collapse_id":"x","ttl":"6h","labels":{"k":"v;w","l":"m"}}`
	if diff := cmp.Diff(want, api.bodies["POST /v1/notifications"]); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestSendTargets(t *testing.T) {
	t.Parallel()

	tests := []struct {
		args string
		want string
	}{
		{"--to-fid f --to-fid g", `{"fids":["f","g"]}`},
		{"--to-user u", `{"user_ids":["u"]}`},
		{"--to-device d", `{"device_ids":["d"]}`},
		{"--to-topic t", `{"topic":"t"}`},
		{"--to-condition 'a'_in_topics", `{"condition":"'a'_in_topics"}`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t)
			args := append(strings.Fields("send --title T --body B --no-wait --expires-at 2030-01-02T15:04:05Z -o json"), strings.Fields(tt.args)...)
			r := belfry(t.Context(), api.URL, nil, args...)
			r.expect(t, ExitOK)
			want := `{"to":` + tt.want + `,"message":{"notification":{"body":"B","title":"T"}},"expires_at":"2030-01-02T15:04:05Z"}`
			if diff := cmp.Diff(want, api.bodies["POST /v1/notifications"]); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			var n client.Notification
			if err := json.Unmarshal([]byte(r.out), &n); err != nil || n.ID != "ntf_1" || n.State != "accepted" {
				t.Errorf("output = %s, %v", r.out, err)
			}
		})
	}
}

func TestSendBatchFromCSV(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	users := file(t, "users.csv", "token,data.name\nt1,Ada\nt2\n\nbad3,x\ngone4,\nt5,\"a\nb\"\nbad6,\n")
	r := belfry(t.Context(), api.URL, strings.NewReader(`{"notification":{}}`), "send", "--message", "-", "--recipients", users)
	r.expect(t, ExitIncomplete)
	golden(t, "send-csv.out", r.out)
	want := `2 lines of ` + users + ` refused:
  line 5 /token: must be printable ASCII
  line 9 /token: must be printable ASCII
`
	if diff := cmp.Diff(want, r.err); diff != "" {
		t.Errorf("standard error (-want +got):\n%s", diff)
	}
	lines := []string{"t1,Ada", "t2", "", "bad3,x", "gone4,", "t5,\"a\nb\"", "bad6,"}
	if diff := cmp.Diff(lines, api.lines); diff != "" || api.header != "token,data.name\n" {
		t.Errorf("uploaded behind %q (-want +got):\n%s", api.header, diff)
	}
}

func TestSendBatchFromStdin(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	api.cuts = 2
	var in strings.Builder
	for i := range 30 {
		fmt.Fprintf(&in, "{\"token\":\"t%d\"}\n\n", i)
	}
	r := belfry(t.Context(), api.URL, strings.NewReader(in.String()), "send", "--title", "Hi", "--recipients", "-", "-o", "json")
	r.expect(t, ExitOK)
	var n client.Notification
	if err := json.Unmarshal([]byte(r.out), &n); err != nil || n.Counts.Sent != 30 || r.err != "" {
		t.Errorf("output = %s, %v, %s", r.out, err, r.err)
	}
}

func TestManyRefusedLines(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, strings.NewReader(strings.Repeat("{\"token\":\"bad\"}\n", 1234)), "send", "--title", "Hi", "--recipients", "-", "--no-wait")
	r.expect(t, ExitIncomplete, "1,234 lines of standard input refused:\n", "  line 20 /token", "  … and 1,214 more\n")
	if strings.Contains(r.err, "line 21 ") {
		t.Error("more than 20 lines are shown")
	}
}

func TestSendAgainWithAKey(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	list := file(t, "list.ndjson", "{\"token\":\"a\"}\n")
	args := []string{"send", "--title", "Hi", "--recipients", list, "--idempotency-key", "k"}
	belfry(t.Context(), api.URL, nil, args...).expect(t, ExitOK, "accepted 1 = sent 1")
	belfry(t.Context(), api.URL, nil, args...).expect(t, ExitOK, "bat_1 was started before with this key.", "accepted 1 = sent 1")
	if len(api.lines) != 1 {
		t.Errorf("%d lines, want 1", len(api.lines))
	}
}

func TestUploadFails(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	api.state = "sending"
	list := file(t, "list.ndjson", "{\"token\":\"a\"}\n")
	r := belfry(t.Context(), api.URL, nil, "send", "--title", "Hi", "--recipients", list)
	r.expect(t, ExitFailure, "bat_1 is sending: cannot upload", "bat_1 is not started and sends nothing.",
		"go on:    belfry batch upload bat_1 "+list+" --start --api URL", "drop it:  belfry batch cancel bat_1 --api URL")
}

func TestInterruptedWhileWatching(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	api.hangs = true
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-api.asked
		cancel()
	}()
	list := file(t, "list.ndjson", "{\"token\":\"a\"}\n")
	r := belfry(ctx, api.URL, nil, "send", "--title", "Hi", "--recipients", list)
	r.expect(t, ExitInterrupted)
	want := `No longer watching; the batch goes on.
  watch it again:  belfry batch get bat_1 --wait --api URL
  cancel it:       belfry batch cancel bat_1 --api URL
belfry send: interrupted
`
	if diff := cmp.Diff(want, r.err); diff != "" {
		t.Errorf("standard error (-want +got):\n%s", diff)
	}
}

// interrupting cancels when it is read for the second time.
type interrupting struct {
	cancel context.CancelFunc
	reads  int
}

func (r *interrupting) Read(p []byte) (int, error) {
	if r.reads++; r.reads > 1 {
		r.cancel()
	}
	return copy(p, "{\"token\":\"a\"}\n"), nil
}

func TestInterruptedWhileUploading(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := belfry(ctx, api.URL, &interrupting{cancel: cancel}, "send", "--title", "Hi", "--recipients", "-")
	r.expect(t, ExitInterrupted, "bat_1 is not started and sends nothing.", "belfry send: interrupted")
}

func TestErrors(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	gone := newFakeAPI(t)
	gone.Close()
	big := file(t, "big.json", strings.Repeat(" ", 1<<20)+"{}")
	tests := []struct {
		name, url string
		args      string
		code      int
		want      []string
	}{
		{"no server", gone.URL, "devices get dev_1", ExitFailure, []string{
			"belfry devices get: GET /v1/devices/dev_1: Get \"URL/v1/devices/dev_1\": dial tcp ", "connection refused",
			"\nIs the server running? Start one on this machine with belfry up --sandbox, or name another with BELFRY_API or --api.\n",
		}},
		{"another key", api.URL, "batch get bat_1 --api-key other", ExitFailure, []string{
			"belfry batch get: GET /v1/batches/bat_1: the API key is not known\nGive the server's key with BELFRY_API_KEY or --api-key.\n",
		}},
		{"not there", api.URL, "notification get ntf_9", ExitFailure, []string{"belfry notification get: GET /v1/notifications/ntf_9: there is no such thing\n"}},
		{"no message file", api.URL, "send --to-token a --message nowhere.json", ExitFailure, []string{"belfry send: --message: open nowhere.json: no such file or directory"}},
		{"no JSON", api.URL, "send --to-token a --message " + file(t, "m", "{]"), ExitUsage, []string{"is not a JSON object: invalid character"}},
		{"too big", api.URL, "send --to-token a --message " + big, ExitFailure, []string{"must be at most 1048576 bytes"}},
		{"no recipients file", api.URL, "send --title x --recipients nowhere.csv", ExitFailure, []string{"belfry send: recipients: open nowhere.csv: no such file"}},
		{"no such column", api.URL, "send --title x --recipients " + file(t, "x.csv", "name\n"), ExitUsage, []string{`x.csv: column 1: must be token`}},
		{"no import file", api.URL, "devices import nowhere", ExitFailure, []string{"belfry devices import: open nowhere: no such file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			belfry(t.Context(), tt.url, nil, strings.Fields(tt.args)...).expect(t, tt.code, tt.want...)
		})
	}
}
