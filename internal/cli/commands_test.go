package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
)

func TestBatchStepByStep(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	first := file(t, "1.ndjson", "{\"token\":\"a\"}\n{\"token\":\"gone\"}\n")
	second := file(t, "2.csv", "user_id\nu1\nu2\n")
	do := func(code int, want string, args ...string) {
		t.Helper()
		belfry(t.Context(), api.URL, nil, append([]string{"batch"}, args...)...).expect(t, code, want)
	}
	do(ExitOK, "uploading", "create", "--title", "Hi", "--idempotency-key", "k")
	do(ExitOK, "2 lines", "upload", "bat_1", first)
	do(ExitOK, "2 lines", "upload", "bat_1", first) // again: nothing changes
	do(ExitOK, "4 lines", "upload", "bat_1", second, "--append")
	do(ExitOK, "accepted 4 = open 4", "get", "bat_1")
	do(ExitOK, "paused", "pause", "bat_1")
	do(ExitOK, "completed", "resume", "bat_1")
	do(ExitIncomplete, "accepted 4 = sent 3 + permanent 1", "get", "bat_1", "--wait")
	do(ExitOK, "cancelled", "cancel", "bat_1")
	do(ExitOK, "bat_1 had the first 2 lines of "+first+" already; --append would put the file behind them.", "upload", "bat_1", first)
	do(ExitFailure, "bat_1 has 4 lines. To go on from there:\n  belfry batch upload bat_1 "+second+" --offset 5 --api URL", "upload", "bat_1", second, "--append")
	do(ExitFailure, "bat_1 has 4 lines. The same command goes on from there.", "upload", "bat_1", second, "--offset", "4")
	do(ExitUsage, "--offset: must be at least 1", "upload", "bat_1", second, "--offset=-1")
}

func TestBatchUploadStarts(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	api.state = client.StateUploading
	in := strings.NewReader("{\"token\":\"a\"}\n{\"token\":\"bad\"}\n")
	belfry(t.Context(), api.URL, in, "batch", "upload", "bat_1", "-", "--start").
		expect(t, ExitIncomplete, "1 line of standard input refused:\n  line 2 /token: must be printable ASCII\n", "completed")
	belfry(t.Context(), api.URL, nil, "batch", "start", "bat_1", "--early").expect(t, ExitOK, "completed")
	belfry(t.Context(), api.URL, nil, "batch", "start", "bat_1").expect(t, ExitOK, "completed")
}

func TestNotifications(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, nil, "notification", "list")
	r.expect(t, ExitOK)
	golden(t, "notification-list.out", r.out)

	r = belfry(t.Context(), api.URL, nil, "notification", "list", "--limit", "1", "-o", "json")
	r.expect(t, ExitOK, `{"id":"bat_1"`)
	if strings.Count(r.out, "\n") != 1 {
		t.Errorf("output = %s, want one line", r.out)
	}
	belfry(t.Context(), api.URL, nil, "notification", "get", "ntf_1").expect(t, ExitOK, "accepted 1 = sent 1")
	belfry(t.Context(), api.URL, nil, "notification", "cancel", "ntf_1").expect(t, ExitOK, "completed")
	belfry(t.Context(), api.URL, nil, "notification", "cancel", "bat_1").expect(t, ExitOK, "cancelled")
	belfry(t.Context(), api.URL, nil, "notification", "get", "bat_1", "--wait").expect(t, ExitIncomplete, "cancelled")
	belfry(t.Context(), api.URL, nil, "notification", "deliveries", "bat_1", "--class", "permanent", "--code", "fcm.unregistered").
		expect(t, ExitOK, `{"line":2,"chunk":0,"index":0,"class":"permanent","code":"fcm.unregistered"}`)
}

func TestDevices(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, nil, "devices", "list", "--user", "alice")
	r.expect(t, ExitOK)
	golden(t, "devices-list.out", r.out)
	if strings.Contains(r.out, "secret-token") {
		t.Error("the table shows a token")
	}
	belfry(t.Context(), api.URL, nil, "devices", "list", "-o", "json").expect(t, ExitOK, `"token":"secret-token"`, `{"id":"dev_2"}`)
	belfry(t.Context(), api.URL, nil, "devices", "get", "dev_1").expect(t, ExitOK, `"user_id": "alice"`)

	list := file(t, "devices.ndjson", "{}\n{}\n{}\n")
	belfry(t.Context(), api.URL, nil, "devices", "import", list).
		expect(t, ExitIncomplete, "2 devices imported\n", "1 line of "+list+" refused:\n  line 3 /platform: must be android, ios or web\n")
	belfry(t.Context(), api.URL, strings.NewReader("{}"), "devices", "import", "-", "-o", "json").expect(t, ExitIncomplete, `"imported": 2`)
	if api.bodies["POST /v1/devices/import"] != "{}" {
		t.Errorf("imported %q", api.bodies["POST /v1/devices/import"])
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
	if got := clock(&at); got != "2026-11-01T12:00:00Z" {
		t.Errorf("clock = %s", got)
	}
	if clock(nil)+clock(&time.Time{}) != "" {
		t.Error("no time has a text")
	}
}
