package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// closeup answers what looks at one thing, and tells whether it did.
func (f *fakeAPI) closeup(w http.ResponseWriter, r *http.Request, call string) bool {
	switch {
	case call == "GET /v1/notifications/bat_1/events":
		f.events(w, r)
	case call == "GET /v1/notifications/bat_1/deliveries" && r.URL.Query().Get("class") == "":
		page := client.DeliveryList{Items: []client.Delivery{traced().Delivery, {Chunk: 1, Class: "open", Code: "open"}}, NextCursor: "2"}
		if r.URL.Query().Get("cursor") != "" {
			page = client.DeliveryList{
				Items: []client.Delivery{{Line: 4, Chunk: 1, Index: 1, Class: "suppressed", Code: "duplicate", AddressHash: "ab"}},
			}
		}
		clitest.Say(w, http.StatusOK, page)
	case call == "GET /v1/batches/bat_1/report" && r.URL.Query().Get("class") == string(client.ClassInvalid):
		_, _ = fmt.Fprint(w, `{"line":2,"class":"invalid","code":"value","pointer":"/token","detail":"must not be empty"}`+"\n")
	case call == "GET /v1/notifications/bat_1/traces":
		t := client.Trace{Notification: "bat_1", State: "sending", Deliveries: []client.TracedDelivery{}}
		if q := r.URL.Query(); q.Get("of") == "slowest" && q.Get("limit") == "2" {
			t.TraceID, t.Deliveries = "0af7651916cd43dd8448eb211c80319c", []client.TracedDelivery{wholeStory()}
		}
		clitest.Say(w, http.StatusOK, t)
	case strings.HasPrefix(call, "GET /v1/notifications/bat_1/deliveries/"):
		switch key := strings.TrimPrefix(call, "GET /v1/notifications/bat_1/deliveries/"); key {
		case "line:3":
			clitest.Say(w, http.StatusOK, client.Trace{Notification: "bat_1", State: "completed", Deliveries: []client.TracedDelivery{traced()}})
		case "line:17":
			clitest.Say(w, http.StatusOK, client.Trace{
				Notification: "bat_1", State: "sending", Deliveries: []client.TracedDelivery{},
				Refused: &client.LineError{Line: 17, Pointer: "/token", Code: "value", Detail: "must not be empty"},
			})
		case "user:ada":
			open := client.TracedDelivery{
				Delivery: client.Delivery{Class: "open", Code: "open"}, ChunkState: "waiting",
				Steps: []client.TraceStep{{Step: "waiting", Detail: "for its turn"}},
			}
			clitest.Say(w, http.StatusOK,
				client.Trace{
					Notification: "bat_1", State: "sending", Deliveries: []client.TracedDelivery{traced(), open}, More: true,
					Notes: []string{"found by today's addresses"},
				})
		default:
			clitest.Say(w, http.StatusNotFound, client.Problem{Title: "Not Found", Detail: "bat_1 has no delivery to " + key, Code: "not_found"})
		}
	default:
		return false
	}
	return true
}

// events says how the batch stands, breaks off, and says the end to who comes
// back.
func (f *fakeAPI) events(w http.ResponseWriter, r *http.Request) {
	say := func(id, name string, n client.Notification) {
		data, _ := json.Marshal(n)
		_, _ = fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", id, name, data)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprint(w, "retry: 1\n\n")
	n := f.batch()
	if r.Header.Get("Last-Event-ID") == "" && n.Counts.Accepted > 0 {
		n.State = "sending"
		say("1", "progress", n)
		return
	}
	say("2", "progress", n)
	say("2.done", "done", n)
}

func traced() client.TracedDelivery {
	at := func(s int) time.Time { return time.Date(2026, 11, 1, 12, 0, s, 40e6, time.UTC) }
	when := func(s int) *time.Time { t := at(s); return &t }
	return client.TracedDelivery{
		Delivery: client.Delivery{
			Line: 3, Index: 2, Class: "permanent", Code: "fcm.unregistered", AddressHash: "00000000000000ab", UserID: "ada", DeviceID: "d-1",
			Attempts: []client.Attempt{
				{Attempt: 1, At: at(1), Code: "fcm.unavailable", LatencyMS: 40, Detail: "overloaded"},
				{Attempt: 2, At: at(30), Code: "fcm.unregistered", LatencyMS: 12.5},
			},
		},
		UserID: "ada", DeviceID: "d-1", ChunkState: "closed", Meaning: "The app instance is gone.",
		Steps: []client.TraceStep{
			{Step: "accepted", At: when(0)},
			{Step: "expanded", Detail: "chunk 0, row 2, line 3"},
			{Step: "attempt", At: when(1), Attempt: 1, Class: "retryable", Code: "fcm.unavailable", LatencyMS: new(40.0), Detail: "overloaded"},
			{Step: "attempt", At: when(30), Attempt: 2, Class: "permanent", Code: "fcm.unregistered", LatencyMS: new(12.5)},
			{Step: "outcome", At: when(30), Class: "permanent", Code: "fcm.unregistered"},
		},
	}
}

// wholeStory has every kind of step.
func wholeStory() client.TracedDelivery {
	at := func(ms int) *time.Time { t := time.Date(2026, 11, 1, 12, 0, 0, ms*1e6, time.UTC); return &t }
	return client.TracedDelivery{
		Delivery: client.Delivery{Line: 4711, Chunk: 9, Index: 2, Class: "sent", Code: "sent", AddressHash: "00000000000000ab"},
		TraceID:  "4bf92f3577b34da6a3ce929d0e0e4736", TookMS: new(64_203.0), ChunkState: "closed", Meaning: "FCM accepted the message.",
		Steps: []client.TraceStep{
			{Step: "accepted", At: at(0)},
			{Step: "started", At: at(200)},
			{Step: "queued", At: at(203)},
			{Step: "expanded", At: at(215), WaitedMS: new(12.0), Detail: "chunk 9, row 2, line 4711"},
			{Step: "taken", At: at(1403), WaitedMS: new(1180.0), Detail: "turn 1 of the chunk"},
			{Step: "attempt", At: at(1455), Attempt: 1, Class: "retryable", Code: "fcm.internal", LatencyMS: new(51.0), Detail: "HTTP 500"},
			{Step: "replayed", At: at(60_000), Detail: "replayed by rpl_1", TraceID: "9c5d9f4a1be6a9f0d4c3b2a190807060"},
			{Step: "taken", At: at(64_350), WaitedMS: new(12.0), Detail: "turn 2 of the chunk"},
			{Step: "attempt", At: at(64_403), Attempt: 2, Class: "sent", Code: "sent", LatencyMS: new(52.0), Detail: "0:1"},
			{Step: "outcome", At: at(64_403), Class: "sent", Code: "sent"},
			{Step: "event", At: at(64_411), Detail: "the chunk was written with all its outcomes, then push.delivery.outcome.v1 went out"},
		},
	}
}

func TestExplainChosen(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--slowest", "2")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "explain-slowest.out", r.Out)
	belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--slowest", "2", "-o", "json").Expect(t, display.ExitOK, `"waited_ms": 1180`)
	belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--failed", "3").Expect(t, display.ExitOK, "There are no such deliveries.")
	belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--failed", "21").Expect(t, display.ExitUsage, "--failed: must be 1..20 (got 21)")
	belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--failed", "2", "--line", "1").Expect(t, display.ExitUsage, "(got 2)")
}

func TestBatchWatch(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	api.state, api.lines = client.StateCompleted, []string{"a", "b", "gone"}
	r := belfry(t.Context(), api.URL, nil, "batch", "watch", "bat_1")
	r.Expect(t, display.ExitIncomplete, "accepted 3 = sent 2 + permanent 1")
	r = belfry(t.Context(), api.URL, nil, "batch", "watch", "bat_1", "-o", "json")
	r.Expect(t, display.ExitIncomplete)
	lines := strings.Split(strings.TrimSpace(r.Out), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"state":"sending"`) || !strings.Contains(lines[1], `"state":"completed"`) ||
		r.Err != "" {
		t.Errorf("got %q and %q", lines, r.Err)
	}
	api.lines = api.lines[:2]
	belfry(t.Context(), api.URL, nil, "batch", "watch", "bat_1").Expect(t, display.ExitOK, "accepted 2 = sent 2")
	belfry(t.Context(), api.URL, nil, "batch", "watch", "bat_2").Expect(t, display.ExitFailure, "there is no such thing")
	api.Close()
	belfry(t.Context(), api.URL, nil, "batch", "watch", "bat_1").Expect(t, display.ExitFailure, "Is the server running?")
}

func TestBatchWatchInterrupted(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	belfry(ctx, api.URL, nil, "batch", "watch", "bat_1").
		Expect(t, display.ExitInterrupted, "No longer watching; the batch goes on.", "belfry batch get bat_1 --wait --api URL", "interrupted")
}

// What leaves the house does not tell of tokens, in any format; who it is stays.
func TestNoAddresses(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	for _, args := range []string{
		"batch report bat_1", "batch report bat_1 --format csv", "notification deliveries bat_1", "explain bat_1 --line 3",
		"explain bat_1 --line 3 -o json",
	} {
		with := belfry(t.Context(), api.URL, nil, strings.Fields(args)...)
		with.Expect(t, display.ExitOK, "00000000000000ab", "ada", "d-1")
		without := belfry(t.Context(), api.URL, nil, append(strings.Fields(args), "--no-addresses")...)
		without.Expect(t, display.ExitOK, "ada", "d-1")
		if strings.Contains(without.Out, "00000000000000ab") {
			t.Errorf("%s: %s", args, without.Out)
		}
	}
	r := belfry(t.Context(), api.URL, nil, "devices", "list", "--no-addresses", "-o", "json")
	r.Expect(t, display.ExitOK, "dev_1")
	if strings.Contains(r.Out, "secret-token") {
		t.Errorf("devices: %s", r.Out)
	}
}

func TestExplainRefusedLine(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--line", "17").Expect(t, display.ExitOK,
		"line 17 was refused (value)\n  /token must not be empty\nNothing was sent for it. Mend the line, and send it with another batch.")
	belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--line", "17", "-o", "json").Expect(t, display.ExitOK, `"refused": {`)
}

func TestBatchReport(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, nil, "batch", "report", "bat_1")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "batch-report.ndjson", r.Out)
	r = belfry(t.Context(), api.URL, nil, "batch", "report", "bat_1", "--format", "csv")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "batch-report.csv", r.Out)
	belfry(t.Context(), api.URL, nil, "batch", "report", "bat_1", "--class", "permanent", "--code", "fcm.unregistered").
		Expect(t, display.ExitOK, `{"line":2,"chunk":0,"index":0,"class":"permanent","code":"fcm.unregistered"}`)
	r = belfry(t.Context(), api.URL, nil, "batch", "report", "bat_1", "--class", "invalid")
	if r.Expect(t, display.ExitOK); r.Out != `{"line":2,"class":"invalid","code":"value","pointer":"/token","detail":"must not be empty"}`+
		"\n" {
		t.Errorf("refused lines: %q", r.Out)
	}
	belfry(t.Context(), api.URL, nil, "batch", "report", "bat_1", "--class", "invalid", "--code", "sent").Expect(
		t, display.ExitUsage, "--code",
	)

	name := filepath.Join(t.TempDir(), "report.ndjson")
	belfry(t.Context(), api.URL, nil, "batch", "report", "bat_1", "-O", name).Expect(t, display.ExitOK, "4 rows in "+name)
	written, err := os.ReadFile(name)
	if err != nil || strings.Count(string(written), "\n") != 4 {
		t.Errorf("the file holds %q, %v", written, err)
	}
	belfry(t.Context(), api.URL, nil, "batch", "report", "bat_2", "-O", name).Expect(t, display.ExitFailure,
		"the report broke off after 0 rows", name+".part")
	if again, _ := os.ReadFile(name); string(again) != string(written) {
		t.Error("a report that failed changed the one that was there")
	}
	belfry(t.Context(), api.URL, nil, "batch", "report", "bat_1", "-O", filepath.Join(name, "no")).Expect(
		t, display.ExitFailure, "not a directory",
	)
}

func TestExplain(t *testing.T) {
	t.Parallel()

	api := newFakeAPI(t)
	r := belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--line", "3")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "explain.out", r.Out)
	r = belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--user", "ada")
	r.Expect(t, display.ExitOK)
	clitest.Golden(t, "explain-many.out", r.Out)
	belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--line", "3", "-o", "json").Expect(t, display.ExitOK, `"chunk_state": "closed"`)

	r = belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--token", "secret-token")
	r.Expect(t, display.ExitFailure, "has no delivery to hash:")
	for _, call := range api.calls {
		if strings.Contains(call, "secret") {
			t.Errorf("a token is in a URL: %s", call)
		}
	}
	belfry(t.Context(), api.URL, nil, "explain", "bat_1").Expect(t, display.ExitUsage, "Give one of --token")
	belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--line", "3", "--user", "ada").Expect(t, display.ExitUsage, "(got 2)")
	belfry(t.Context(), api.URL, nil, "explain", "bat_1", "--line=-3").Expect(t, display.ExitUsage, "from 1")
}

func TestBatchGetTable(t *testing.T) {
	t.Parallel()

	var b strings.Builder
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	n := client.Notification{
		ID: "bat_1", State: "sending", Priority: "bulk", AcceptedAt: at, StartedAt: &at, Recipients: 3000, Received: new(int64(3003)),
		Invalid: new(int64(1)), Blank: 2,
		Waiting: &client.Waiting{
			Reason: client.WaitBreaker, Code: "fcm.unavailable", Text: "breaker open until 12:56:34 UTC (fcm.unavailable)",
		},
		Duplicates: new(int64(40)), UncheckedFrom: new(int64(2000)), UploadOpen: true, Throttle: &client.Throttle{PerSecond: 1500},
		Rate: new(99.6), ETASeconds: new(20.4), FirstOutcomeAt: &at, LastOutcomeAt: new(at.Add(10 * time.Second)),
		Counts: &client.Counts{
			Accepted: 3000, Open: 2000, Sent: 990, Permanent: 10, ByCode: map[client.Code]int64{"sent": 990, "fcm.unregistered": 10},
		},
	}
	if err := printNotification(&display.Console{Out: &b, Now: func() time.Time { return at.Add(time.Minute) }}, n, false); err != nil {
		t.Fatal(err)
	}
	clitest.Golden(t, "batch-get.out", b.String())
}
