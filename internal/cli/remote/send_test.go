package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

func TestSendOne(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	msg := clitest.File(t, "msg.json", ` {"message": {"data": {"k": "v"}}} `)
	r := belfry(t.Context(), api.URL, nil, "send", "--to-token", "a,b", "--to-token", "c", "--message", msg,
		"--priority", "high", "--ttl", "6h",
		"--collapse-id", "x", "--label", "k=v;w", "--label", "l=m", "--at-most-once")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "send-one.out", r.Out)

	want := `{"to":{"tokens":["a,b","c"]},"message":{"data":{"k":"v"}},"priority":"high","delivery_guarantee":"at_most_once",` +
		`"collapse_id":"x","ttl":"6h","labels":{"k":"v;w","l":"m"}}`
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
			r.Expect(t, display.ExitOK)
			want := `{"to":` + tt.want + `,"message":{"notification":{"body":"B","title":"T"}},"expires_at":"2030-01-02T15:04:05Z"}`
			if diff := cmp.Diff(want, api.bodies["POST /v1/notifications"]); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			var n client.Notification
			if err := json.Unmarshal([]byte(r.Out), &n); err != nil || n.ID != "ntf_1" || n.State != "accepted" {
				t.Errorf("output = %s, %v", r.Out, err)
			}
		})
	}
}

func TestSendBatchFromCSV(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	users := clitest.File(t, "users.csv", "token,data.name\nt1,Ada\nt2\n\nbad3,x\ngone4,\nt5,\"a\nb\"\nbad6,\n")
	r := belfry(t.Context(), api.URL, strings.NewReader(`{"notification":{}}`), "send", "--message", "-", "--recipients", users,
		"--yes", "--per-second", "50")
	r.Expect(t, display.ExitIncomplete)
	if !strings.Contains(api.bodies["POST /v1/batches"], `"throttle":{"per_second":50}`) {
		t.Errorf("batch: %s", api.bodies["POST /v1/batches"])
	}
	clitest.Golden(t, "send-csv.out", r.Out)
	want := `2 lines of ` + users + ` refused:
  line 5 /token: must be printable ASCII
  line 9 /token: must be printable ASCII
`
	if diff := cmp.Diff(want, r.Err); diff != "" {
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
	r.Expect(t, display.ExitOK)
	var n client.Notification
	if err := json.Unmarshal([]byte(r.Out), &n); err != nil || n.Counts.Sent != 30 || r.Err != "" {
		t.Errorf("output = %s, %v, %s", r.Out, err, r.Err)
	}
}

func TestManyRefusedLines(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, strings.NewReader(strings.Repeat("{\"token\":\"bad\"}\n", 1234)), "send", "--title", "Hi",
		"--recipients", "-", "--no-wait", "--yes")
	r.Expect(t, display.ExitRefused, "1,234 lines of standard input refused:\n", "  line 20 /token", "  … and 1,214 more\n",
		"Nothing was sent: 1,234 lines of the file refused. bat_1 is cancelled.\n")
	if strings.Contains(r.Err, "line 21 ") {
		t.Error("more than 20 lines are shown")
	}
}

func TestSendAgainWithAKey(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	list := clitest.File(t, "list.ndjson", "{\"token\":\"a\"}\n")
	args := []string{"send", "--title", "Hi", "--recipients", list, "--idempotency-key", "k"}
	belfry(t.Context(), api.URL, nil, args...).Expect(t, display.ExitOK, "accepted 1 = sent 1")
	belfry(t.Context(), api.URL, nil, args...).Expect(t, display.ExitOK, "bat_1 was started before with this key.", "accepted 1 = sent 1")
	if len(api.lines) != 1 {
		t.Errorf("%d lines, want 1", len(api.lines))
	}
}

func TestUploadFails(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	api.state = "sending"
	list := clitest.File(t, "list.ndjson", "{\"token\":\"a\"}\n")
	r := belfry(t.Context(), api.URL, nil, "send", "--title", "Hi", "--recipients", list)
	r.Expect(t, display.ExitFailure, "bat_1 is sending: cannot upload", "bat_1 is not started and sends nothing.",
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
	list := clitest.File(t, "list.ndjson", "{\"token\":\"a\"}\n")
	r := belfry(ctx, api.URL, nil, "send", "--title", "Hi", "--recipients", list)
	r.Expect(t, display.ExitInterrupted, "accepted 1 = ")
	if !strings.Contains(r.Out, "state ") {
		t.Errorf("how it stands: %q", r.Out)
	}
	want := `No longer watching; the batch goes on.
  watch it again:  belfry batch get bat_1 --wait --api URL
  cancel it:       belfry batch cancel bat_1 --api URL
belfry send: interrupted
`
	if diff := cmp.Diff(want, r.Err); diff != "" {
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
	r.Expect(t, display.ExitInterrupted, "bat_1 is not started and sends nothing.", "belfry send: interrupted")
}

func TestErrors(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	gone := newFakeAPI(t)
	gone.Close()
	big := clitest.File(t, "big.json", strings.Repeat(" ", 1<<20)+"{}")
	tests := []struct {
		name, url string
		args      string
		code      int
		want      []string
	}{
		{"no server", gone.URL, "devices get dev_1", display.ExitFailure, []string{
			"belfry devices get: GET /v1/devices/dev_1: Get \"URL/v1/devices/dev_1\": dial tcp ", "connection refused",
			"\nNothing listens at URL. Is the server running? Start one on this machine with belfry up --sandbox, or name another with " +
				"BELFRY_API or --api.\n",
		}},
		{"another key", api.URL, "batch get bat_1 --api-key other", display.ExitFailure, []string{
			"belfry batch get: GET /v1/batches/bat_1: the API key is not known\nThe server does not know this key: it is another server's, or " +
				"was replaced.",
		}},
		{
			"not there", api.URL, "notification get ntf_9", display.ExitFailure,
			[]string{"belfry notification get: GET /v1/notifications/ntf_9: there is no such thing\n"},
		},
		{
			"no message file", api.URL, "send --to-token a --message nowhere.json", display.ExitFailure,
			[]string{"belfry send: --message: open nowhere.json: no such file or directory"},
		},
		{
			"no JSON", api.URL, "send --to-token a --message " + clitest.File(t, "m", "{]"), display.ExitUsage,
			[]string{"m: not valid JSON: ']' at byte 1"},
		},
		{
			"no object", api.URL, "send --to-token a --message " + clitest.File(t, "m", "[]"), display.ExitUsage,
			[]string{"m must be a JSON object"},
		},
		{
			"a message in Latin-1", api.URL, "send --to-token a --message " + clitest.File(t, "m", "{\"data\":{\"k\":\"gr\xfcn\"}}"),
			display.ExitUsage,
			[]string{"--message: ", "m: /data/k: must be UTF-8 (byte 16 is 0xfc)"},
		},
		{
			"a message with a name twice", api.URL, "send --to-token a --message " + clitest.File(t, "m", `{"message":{},"message":{}}`),
			display.ExitUsage,
			[]string{"m: /message: is there twice"},
		},
		{
			"a title in Latin-1", api.URL, "send --to-token a --title gr\xfcn", display.ExitUsage,
			[]string{"--title: must be UTF-8 (byte 2 is 0xfc): set the terminal to UTF-8"},
		},
		{
			"a user in Latin-1", api.URL, "send --to-user a --to-user Fran\xe7ois --title x", display.ExitUsage,
			[]string{"--to-user: must be UTF-8 (byte 4 is 0xe7)"},
		},
		{
			"a label in Latin-1", api.URL, "send --to-user a --label gr\xfcn=a --title x", display.ExitUsage,
			[]string{"--label: must be UTF-8 (byte 2 is 0xfc)"},
		},
		{"an argument in Latin-1", api.URL, "devices get Fran\xe7ois", display.ExitUsage, []string{"argument 3: must be UTF-8 (byte 4 is 0xe7)"}},
		{
			"a label twice", api.URL, "send --to-user a --label k=a --label k=b --title x", display.ExitUsage,
			[]string{`--label: "k" is given twice`},
		},
		{
			"a label without a value", api.URL, "send --to-user a --label k --title x", display.ExitUsage,
			[]string{`--label: must be KEY=VALUE (got "k")`},
		},
		{"too big", api.URL, "send --to-token a --message " + big, display.ExitFailure, []string{"must be at most 1048576 bytes"}},
		{
			"no recipients file", api.URL, "send --title x --recipients nowhere.csv", display.ExitFailure,
			[]string{"belfry send: recipients: open nowhere.csv: no such file"},
		},
		{
			"no such column", api.URL, "send --title x --recipients " + clitest.File(t, "x.csv", "name\n"), display.ExitUsage,
			[]string{`x.csv: column 1: must be token`},
		},
		{"no import file", api.URL, "devices import nowhere", display.ExitFailure, []string{"belfry devices import: open nowhere: no such file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			belfry(t.Context(), tt.url, nil, strings.Fields(tt.args)...).Expect(t, tt.code, tt.want...)
		})
	}
}
