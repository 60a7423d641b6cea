package privacy

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/wire"
	"github.com/belfry-push/belfry/test/programs"
)

// What the test gives as tokens, as user ids and as texts of messages.
const (
	aToken = "tokencanary7531"
	aUser  = "usercanary7531"
	aText  = "textcanary7531"
)

// overheard are the events that a Belfry in this process publishes.
type overheard struct {
	mu  sync.Mutex
	all []wire.Event
}

func (o *overheard) hear(e wire.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, e)
}

func (o *overheard) events() []wire.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.all)
}

func (o *overheard) has(kind string) bool {
	return slices.ContainsFunc(o.events(), func(e wire.Event) bool { return e.Type == kind })
}

// listen starts a sandbox whose events are overheard.
func listen(t *testing.T) (*client.Client, string, *overheard) {
	t.Helper()
	heard, ready, ended := &overheard{}, make(chan allinone.Addresses, 1), make(chan error, 1)
	cfg := config.Up{
		Sandbox: true, Store: config.Store{Backend: config.BackendEmbedded, Data: t.TempDir(), Visibility: 30 * time.Second},
		API: config.API{Listen: "127.0.0.1:0"}, FCM: config.FCM{Connections: 1, PerSecond: 1000},
		Delivery: config.Delivery{MaxAttempts: 1, BrakeAfter: 20, RecordUnknownDevices: true}, Simulator: config.Simulator{Listen: "127.0.0.1:0"},
		Stop: config.Stop{Drain: 5 * time.Second},
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- allinone.Up(ctx, cfg, zap.NewNop(), allinone.Hooks{Ready: func(a allinone.Addresses) { ready <- a }, Event: heard.hear})
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case a := <-ready:
		api, err := client.New(a.API, "")
		if err != nil {
			t.Fatal(err)
		}
		return api, a.API, heard
	case err := <-ended:
		t.Fatal(err)
	}
	return nil, "", nil
}

// TestCanaryOfWhatGoesOut reads every outgoing event, and what the audit log, usage and privacy requests show, and finds no
// token, no user id and no text in it; a user id in events about a device alone, where it is the point. Streams of progress
// and lists of deliveries have no token.
func TestCanaryOfWhatGoesOut(t *testing.T) {
	t.Parallel()
	api, base, heard := listen(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for id, token := range map[string]string{"good": aToken, "gone": "sim-unregistered-" + aToken} {
		_, err := api.PutDevice(t.Context(), id, client.Device{Token: token, Platform: client.PlatformIOS, UserID: aUser})
		must(err)
	}
	message := json.RawMessage(`{"notification":{"title":"` + aText + `"},"data":{"k":"` + aText + `"}}`)
	var ids []string
	for _, to := range []client.Target{
		{UserIDs: []string{aUser, aUser + "-nobody"}},
		{Tokens: []string{aToken + "-2", "sim-invalid-" + aToken, "sim-internal-1-" + aToken, "sim-auth-" + aToken}},
	} {
		n, err := api.Send(t.Context(), client.Request{To: &to, Message: message})
		must(err)
		_, err = api.Await(t.Context(), n.ID, 0)
		must(err)
		ids = append(ids, n.ID)
	}
	order := client.PrivacyOrder{Action: client.PrivacyErase, UserID: aUser, Tokens: []string{aToken + "-2"}}
	q, err := api.CreatePrivacyRequest(t.Context(), order)
	must(err)
	programs.WaitForMoment(t, 200*time.Millisecond, "the receipt", func() bool {
		q, err = api.PrivacyRequest(t.Context(), q.ID)
		must(err)
		return q.State == client.PrivacyDone
	})
	programs.WaitFor(t, "an event about a device", func() bool { return heard.has(wire.EventDeviceQuarantined) })

	for _, e := range heard.events() {
		text, err := json.Marshal(e)
		must(err)
		if e.Type == wire.EventDeviceQuarantined {
			shows(t, "the event "+e.Type, string(text), aToken, aText)
		} else {
			shows(t, "the event "+e.Type, string(text), aToken, aText, aUser)
		}
	}
	for _, path := range []string{"/v1/audit", "/v1/audit/export", "/v1/usage", "/v1/privacy-requests", "/v1/privacy-requests/" + q.ID} {
		shows(t, path, read(t, base+path), aToken, aText, aUser)
	}
	for _, id := range ids { // titles are for people who watch, and who has no device is named
		for _, what := range []string{"/events", "/deliveries"} {
			shows(t, what, read(t, base+"/v1/notifications/"+id+what), aToken)
		}
	}
}

// shows fails the test if a text has one of the canaries, or is empty.
func shows(t *testing.T, where, text string, canaries ...string) {
	t.Helper()
	if text == "" {
		t.Errorf("%s is empty: nothing was looked at", where)
	}
	for _, canary := range canaries {
		if strings.Contains(text, canary) {
			t.Errorf("%s has %s: %s", where, canary, text)
		}
	}
}

// read returns what a path of the API shows.
func read(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v %s", url, res.StatusCode, err, b)
	}
	return string(b)
}
