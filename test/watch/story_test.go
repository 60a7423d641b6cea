package watch

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/sandbox"
)

func message() json.RawMessage { return json.RawMessage(`{"notification":{"title":"Hi"}}`) }

// watched follows a notification to its end.
func watched(t *testing.T, c *client.Client, id string) client.Notification {
	t.Helper()
	var last client.BatchProgress
	for p, err := range c.Watch(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		last = p
	}
	if !last.Last || last.Counts.Open != 0 {
		t.Fatalf("the watch ended with %+v", last)
	}
	return last.Notification
}

// story returns the steps of the only delivery to a recipient, and its row.
func story(t *testing.T, c *client.Client, id string, key client.TraceKey) (steps string, d client.TracedDelivery) {
	t.Helper()
	tr, err := c.Trace(t.Context(), id, key)
	if err != nil || len(tr.Deliveries) != 1 {
		t.Fatalf("trace of %s: %+v, %v", key, tr, err)
	}
	d = tr.Deliveries[0]
	var words []string
	for _, s := range d.Steps {
		word := s.Step
		if s.Code != "" {
			word += " " + string(s.Code)
		}
		if s.Step == "attempt" && (s.LatencyMS == nil || s.At == nil) {
			t.Errorf("%s: an attempt without latency or time: %+v", key, s)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", "), d
}

// A batch with every kind of outcome is watched to its end, and each of its
// deliveries is explained, by line, token, device and user.
func TestStories(t *testing.T) {
	t.Parallel()
	c := connect(t, sandbox.Start(t, 1, zap.NewNop()).API)
	if _, err := c.PutDevice(t.Context(), "phone", client.Device{Token: "ada-phone", Platform: "android", UserID: "ada"}); err != nil {
		t.Fatal(err)
	}
	n, err := c.SendBatch(t.Context(), client.Request{Message: message()}, slices.Values([]client.Recipient{
		{Token: "good"},
		{Token: "sim-unregistered-1"},
		{Token: "good"},
		{UserID: "nobody"},
		{UserID: "ada"},
		{Token: "sim-unavailable-9-x"},
		{DeviceID: "phone"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	end := watched(t, c, n.ID)
	if end.State != client.StateCompleted || end.Counts.Accepted != 7 {
		t.Errorf("ended as %s with %+v", end.State, end.Counts)
	}
	const begin = "accepted, started, queued, expanded, "
	for _, s := range []struct {
		key  client.TraceKey
		want string
		line int64
	}{
		{client.LineKey(1), "taken, attempt sent, outcome sent, event", 1},
		{client.TokenKey("sim-unregistered-1"), "taken, attempt fcm.unregistered, outcome fcm.unregistered, event", 2},
		{"fid:nobody", "", 0},
		{client.LineKey(3), "outcome duplicate, event", 3},
		{client.LineKey(5), "taken, attempt sent, outcome sent, event", 5},
		{client.TokenKey("sim-unavailable-9-x"), "taken, attempt fcm.unavailable, outcome attempts_exhausted, event", 6},
		{client.LineKey(7), "outcome duplicate, event", 7},
		{client.LineKey(8), "", 0},
	} {
		if s.want == "" {
			if _, err := c.Trace(t.Context(), n.ID, s.key); !client.IsProblem(err, "not_found") {
				t.Errorf("%s: %v", s.key, err)
			}
			continue
		}
		got, d := story(t, c, n.ID, s.key)
		if got != begin+s.want || d.Delivery.Line != s.line || d.Meaning == "" {
			t.Errorf("%s: line %d: %s, want %s", s.key, d.Delivery.Line, got, begin+s.want)
		}
	}
	for key, want := range map[client.TraceKey]int{
		client.UserKey("ada"): 2, client.DeviceKey("phone"): 2, "ada": 2, client.TokenKey("good"): 2,
	} {
		if tr, err := c.Trace(t.Context(), n.ID, key); err != nil || len(tr.Deliveries) != want {
			t.Errorf("%s: %d deliveries, want %d: %v", key, len(tr.Deliveries), want, err)
		}
	}
}

// What may have been delivered, and what was called off.
func TestStoriesOfDoubtAndCancelling(t *testing.T) {
	t.Parallel()
	c := connect(t, sandbox.Start(t, 1, zap.NewNop()).API)
	once, err := c.Send(t.Context(),
		client.Request{To: &client.Target{Tokens: []string{"sim-drop-9-x"}}, Guarantee: "at_most_once", Message: message()})
	if err != nil {
		t.Fatal(err)
	}
	if end := watched(t, c, once.ID); end.Counts.Ambiguous != 1 {
		t.Errorf("ended with %+v", end.Counts)
	}
	const doubt = "accepted, queued, expanded, taken, attempt net.reset, outcome unknown, event"
	if got, _ := story(t, c, once.ID, client.TokenKey("sim-drop-9-x")); got != doubt {
		t.Errorf("in doubt: %s", got)
	}

	b, err := c.CreateBatch(t.Context(), client.Request{Message: message()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadRecipients(t.Context(), b.ID, strings.NewReader(`{"token":"late"}`), client.UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CancelBatch(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	if end := watched(t, c, b.ID); end.State != client.StateCancelled || end.Counts.Cancelled != 1 {
		t.Errorf("ended as %s with %+v", end.State, end.Counts)
	}
	if got, _ := story(t, c, b.ID, client.LineKey(1)); got != "accepted, expanded, outcome cancelled, event" {
		t.Errorf("called off: %s", got)
	}
}

// A server that is told to stop does not wait for its watchers, ends their
// streams well, and they notice nothing but the end of the connection.
func TestShutdownWhileWatched(t *testing.T) {
	t.Parallel()
	box := sandbox.Start(t, 1, zap.NewNop())
	c := connect(t, box.API)
	b, err := c.CreateBatch(t.Context(), client.Request{Message: message()})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, c.String()+"/v1/batches/"+b.ID+"/events", nil)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	stopped := make(chan error, 1)
	var text strings.Builder
	buf := make([]byte, 4<<10)
	for begun := false; ; {
		n, err := resp.Body.Read(buf)
		text.Write(buf[:n])
		if !begun && strings.Contains(text.String(), "event: progress") {
			begun = true
			go func() { stopped <- box.Stop() }()
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("the stream ended with %v", err)
			}
			break
		}
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if s := text.String(); !strings.HasSuffix(s, ": come back\n\n") || strings.Contains(s, "event: done") {
		t.Errorf("the stream was %q", s)
	}
}
