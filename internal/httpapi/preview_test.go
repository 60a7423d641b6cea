package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/door/doortest"
	"github.com/belfry-push/belfry/internal/ingest"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/worker/workertest"
)

// checks is the API on the rooms themselves, over stores in memory.
func checks(t *testing.T) (g *rig, ledger *ledgertest.Memory, tasks *workertest.Memory) {
	t.Helper()
	ledger, tasks = &ledgertest.Memory{}, &workertest.Memory{}
	metrics := ingest.NewMetrics(prometheus.NewRegistry())
	outbox := ingest.NewOutbox(tasks, ledger, zap.NewNop(), metrics)
	g = setup(t, func(c *Config) { c.Intake = ingest.NewIntake(ledger, outbox, nil, zap.NewNop(), metrics, testNow) })
	for id, d := range map[push.ID]push.Device{
		"phone":  {UserID: "ann", Platform: push.PlatformAndroid, State: push.DeviceActive},
		"tablet": {UserID: "ann", Platform: push.PlatformIOS, State: push.DeviceActive},
		"old":    {UserID: "ann", Platform: push.PlatformWeb, State: push.DeviceQuarantined},
	} {
		d.ID, d.Tenant, d.Address = id, access.DefaultName, push.Address{Kind: push.KindToken, Value: push.Token("t-" + id)}
		g.devices.SetDevice(d)
	}
	return g, ledger, tasks
}

const checked = `{"validate_only":true,"message":{"notification":{"title":"Hi"}},"to":`

func TestPreview(t *testing.T) {
	t.Parallel()
	g, ledger, tasks := checks(t)
	event := func(body string) string {
		return `{"specversion":"1.0","id":"1","source":"/shop","type":"push.notification.requested.v1","data":` + body + `}`
	}
	for name, c := range map[string]struct {
		to         string
		recipients int64
		want       client.Preview
		limit      int
		first      string // of what is not checked
	}{
		"users": {
			`{"user_ids":["ann","bob"]}`, 4,
			client.Preview{
				Sends: 2, ByPlatform: client.PlatformCounts{Android: 1, IOS: 1}, Quarantined: 1, NoDevice: 1, NoDeviceNames: []string{"bob"},
			},
			4096, "FCM accepts the tokens",
		},
		"tokens": {
			`{"tokens":["t-phone","new","new"]}`, 3,
			client.Preview{Sends: 2, ByPlatform: client.PlatformCounts{Android: 1, Unknown: 1}, Unrecorded: 1, Duplicates: 1},
			4096, "FCM accepts the tokens",
		},
		"a topic": {`{"topic":"news"}`, 1, client.Preview{Sends: 1, ByPlatform: client.PlatformCounts{Topic: 1}}, 2048, "subscribers"},
	} {
		body := checked + c.to + "}"
		for path, body := range map[string]string{"/v1/notifications": body, "/v1/events": event(body)} {
			var n client.Notification
			doortest.Decode(t, g.Do(t, "POST", path, body).Want(t, http.StatusOK, "").Body.Bytes(), &n)
			if n.Preview == nil || n.State != client.StateValid || n.Recipients != c.recipients {
				t.Fatalf("%s by %s: %+v", name, path, n)
			}
			sizes, words := n.Preview.Sizes, n.Preview.NotChecked
			n.Preview.Sizes, n.Preview.NotChecked = nil, nil
			if diff := cmp.Diff(&c.want, n.Preview); diff != "" {
				t.Errorf("%s by %s (-want +got):\n%s", name, path, diff)
			}
			if len(words) == 0 || !strings.Contains(words[0], c.first) {
				t.Errorf("%s: not checked: %q", name, words)
			}
			if len(sizes) != 3 {
				t.Fatalf("%s: sizes %+v", name, sizes)
			}
			for _, s := range sizes {
				if s.Limit != c.limit || s.Bytes < len("titleHi") {
					t.Errorf("%s: %+v", name, s)
				}
			}
		}
	}
	if list, _, err := ledger.Notifications(t.Context(), access.DefaultName, "", 10); err != nil || len(list) != 0 || tasks.Len() != 0 {
		t.Errorf("recorded %+v, %d tasks (%v)", list, tasks.Len(), err)
	}
	if got := g.devices.AllDevices(); len(got) != 3 {
		t.Errorf("a check recorded devices: %+v", got)
	}
}

// A registry that is away is an outage, not a request without recipients.
func TestPreviewWithoutARegistry(t *testing.T) {
	t.Parallel()
	away := &push.OutageError{Outage: push.OutageDown, Err: errors.New("away")}
	g := setup(t, func(c *Config) {
		c.Previews = fanout.NewPreviewer(devicetest.Around{Store: &devicetest.Memory{}, Do: func(string, func() error) error { return away }})
	})
	g.Do(t, "POST", "/v1/notifications", checked+`{"user_ids":["ann"]}}`).Want(t, http.StatusServiceUnavailable, door.CodeUnavailable)
	g.Do(t, "POST", "/v1/notifications", strings.Replace(checked, `"validate_only":true,`, "", 1)+`{"user_ids":["ann"]}}`).Want(
		t, http.StatusAccepted, "",
	)
}

// What no plan can hold is refused with its place, in an event below its data.
func TestPreviewThatCannotBePlanned(t *testing.T) {
	t.Parallel()
	g, _, _ := checks(t)
	for range push.MaxPageBytes / 4000 {
		value := push.Token(strings.Repeat("x", 4000) + string(push.NewID("t")))
		g.devices.SetDevice(push.Device{
			ID: push.NewID("dev"), Tenant: access.DefaultName, UserID: "many", State: push.DeviceActive,
			Address: push.Address{Kind: push.KindToken, Value: value},
		})
	}
	got := g.Do(t, "POST", "/v1/notifications", checked+`{"user_ids":["many"]}}`).Want(t, http.StatusUnprocessableEntity, door.CodeInvalid)
	if !strings.Contains(got.Body.String(), `"pointer":"/to/user_ids"`) {
		t.Errorf("got %s", got.Body)
	}
}
