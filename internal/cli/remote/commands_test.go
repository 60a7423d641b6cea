package remote

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

func TestBatchStepByStep(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	first := clitest.File(t, "1.ndjson", "{\"token\":\"a\"}\n{\"token\":\"gone\"}\n")
	second := clitest.File(t, "2.csv", "user_id\nu1\nu2\n")
	do := func(code int, want string, args ...string) {
		t.Helper()
		belfry(t.Context(), api.URL, nil, append([]string{"batch"}, args...)...).Expect(t, code, want)
	}
	do(display.ExitOK, "uploading", "create", "--title", "Hi", "--idempotency-key", "k")
	do(display.ExitOK, "2 lines", "upload", "bat_1", first)
	do(display.ExitOK, "2 lines", "upload", "bat_1", first) // again: nothing changes
	do(display.ExitOK, "4 lines", "upload", "bat_1", second, "--append")
	do(display.ExitOK, "accepted 4 = open 4", "get", "bat_1")
	do(display.ExitOK, "paused", "pause", "bat_1")
	do(display.ExitOK, "completed", "resume", "bat_1")
	do(display.ExitIncomplete, "accepted 4 = sent 3 + permanent 1", "get", "bat_1", "--wait")
	do(display.ExitOK, "cancelled", "cancel", "bat_1")
	do(display.ExitOK, "bat_1 had the first 2 lines of "+first+" already; --append would put the file behind them.", "upload", "bat_1", first)
	do(display.ExitFailure, "bat_1 has 4 lines. To go on from there:\n  belfry batch upload bat_1 "+second+" --offset 5 --api URL", "upload",
		"bat_1", second, "--append")
	do(display.ExitFailure, "bat_1 has 4 lines. The same command goes on from there.", "upload", "bat_1", second, "--offset", "4")
	do(display.ExitUsage, "--offset: must be at least 1", "upload", "bat_1", second, "--offset=-1")
}

func TestBatchUploadStarts(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	api.state = client.StateUploading
	in := strings.NewReader("{\"token\":\"a\"}\n{\"token\":\"bad\"}\n")
	belfry(t.Context(), api.URL, in, "batch", "upload", "bat_1", "-", "--start").
		Expect(t, display.ExitIncomplete, "1 line of standard input refused:\n  line 2 /token: must be printable ASCII\n", "completed")
	belfry(t.Context(), api.URL, nil, "batch", "start", "bat_1", "--early").Expect(t, display.ExitOK, "completed")
	belfry(t.Context(), api.URL, nil, "batch", "start", "bat_1").Expect(t, display.ExitOK, "completed")
}

// What the flags of a list ask for gets to the server, relative times as points in time.
func TestFindNotifications(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	belfry(t.Context(), api.URL, nil, "notification", "list", "--label", "a=1,2", "--label", "b", "--state", "send,held", "--kind", "not",
		"--since", "2026-11-01", "--until", "2026-11-02T00:00:00+01:00", "--sender", "/shop", "--title", "big sale", "--limit", "7").
		Expect(t, display.ExitOK, "ntf_1")
	belfry(t.Context(), api.URL, nil, "batch", "list", "--title", "x").Expect(t, display.ExitOK, "bat_1")
	want := []string{
		"kind=notification&label=a%3D1%2C2&label=b&limit=7&sender=%2Fshop&since=2026-11-01T00%3A00%3A00Z&state=sending&state=held" +
			"&title=big+sale&until=2026-11-01T23%3A00%3A00Z",
		"kind=batch&limit=20&title=x",
	}
	if d := cmp.Diff(want, api.queries); d != "" {
		t.Error(d)
	}
	for _, c := range []struct{ want, flag, value string }{
		{"--since: must be an age such as 90m, 36h, 3d or 2w, a day such as 2026-11-01, or a time", "--since", "soon"},
		{"--until: must be an age", "--until", "1y"},
		{`did you mean "paused"?`, "--state", "pasued"},
		{"it must be notification or batch", "--kind", "x"},
		{"--limit: must not be negative", "--limit", "-1"},
	} {
		belfry(t.Context(), api.URL, nil, "notification", "list", c.flag+"="+c.value).Expect(t, display.ExitUsage, c.want)
	}
	belfry(t.Context(), api.URL, nil, "notification", "list", "--since", "1h", "--until", "2h").
		Expect(t, display.ExitUsage, "--until: must be later than --since")
}

func TestNotifications(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, nil, "notification", "list")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "notification-list.out", r.Out)

	r = belfry(t.Context(), api.URL, nil, "notification", "list", "--limit", "1", "-o", "json")
	r.Expect(t, display.ExitOK, `{"id":"bat_1"`)
	if strings.Count(r.Out, "\n") != 1 {
		t.Errorf("output = %s, want one line", r.Out)
	}
	r = belfry(t.Context(), api.URL, nil, "notification", "show", "ntf_1")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "notification-show.out", r.Out)
	belfry(t.Context(), api.URL, nil, "notification", "get", "ntf_1").Expect(t, display.ExitOK, "accepted 1 = sent 1")
	belfry(t.Context(), api.URL, nil, "notification", "cancel", "ntf_1").Expect(t, display.ExitOK, "completed")
	belfry(t.Context(), api.URL, nil, "notification", "cancel", "bat_1").Expect(t, display.ExitOK, "cancelled")
	belfry(t.Context(), api.URL, nil, "notification", "get", "bat_1", "--wait").Expect(t, display.ExitIncomplete, "cancelled")
	belfry(t.Context(), api.URL, nil, "notification", "deliveries", "bat_1", "--class", "permanent", "--code", "fcm.unregistered").
		Expect(t, display.ExitOK, `{"line":2,"chunk":0,"index":0,"class":"permanent","code":"fcm.unregistered"}`)
}

func TestDevices(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, nil, "devices", "list", "--user", "alice")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "devices-list.out", r.Out)
	if strings.Contains(r.Out, "secret-token") {
		t.Error("the table shows a token")
	}
	belfry(t.Context(), api.URL, nil, "devices", "list", "-o", "json").Expect(t, display.ExitOK, `"token":"secret-token"`, `{"id":"dev_2"}`)
	belfry(t.Context(), api.URL, nil, "devices", "get", "dev_1").Expect(t, display.ExitOK, `"user_id": "alice"`)

	list := clitest.File(t, "devices.ndjson", "{}\n{}\n{}\n")
	belfry(t.Context(), api.URL, nil, "devices", "import", list).
		Expect(t, display.ExitIncomplete, "2 devices imported\n", "1 line of "+list+
			" refused:\n  line 3 /platform: must be android, ios or web\n",
			"1 line of "+list+" taken in part:\n  line 2 /locale: is not understood\n")
	belfry(t.Context(), api.URL, strings.NewReader("{}"), "devices", "import", "-", "-o", "json").Expect(
		t, display.ExitIncomplete, `"imported": 2`,
	)
	if api.bodies["POST /v1/devices/import"] != "{}" {
		t.Errorf("imported %q", api.bodies["POST /v1/devices/import"])
	}
}

func TestSendWarns(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, nil, "send", "--to-token", "t", "--title", "Hi {{name}}", "--no-wait")
	r.Expect(t, display.ExitOK)
	if !strings.Contains(r.Err, "warning: /message/notification/title has {{name}}\n") || strings.Contains(r.Out, "warning") {
		t.Errorf("got %q and %q", r.Out, r.Err)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()

	counts := func(accepted, sent int64) client.Notification {
		return client.Notification{Counts: &client.Counts{Accepted: accepted, Sent: sent}}
	}
	tests := []struct {
		name    string
		n       client.Notification
		refused int64
		ok      bool
	}{
		{"all sent", counts(3, 3), 0, true},
		{"one not", counts(3, 2), 0, false},
		{"one refused", counts(3, 3), 1, false},
		{"nobody", counts(0, 0), 0, false},
		{"not known", client.Notification{}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := verdict(tt.n, tt.refused); (err == nil) != tt.ok {
				t.Errorf("verdict = %v", err)
			}
		})
	}
}

func TestClock(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 11, 1, 13, 0, 0, 5, time.FixedZone("CET", 3600))
	if got := display.Clock(&at); got != "2026-11-01T12:00:00Z" {
		t.Errorf("clock = %s", got)
	}
	if display.Clock(nil)+display.Clock(&time.Time{}) != "" {
		t.Error("no time has a text")
	}
}
