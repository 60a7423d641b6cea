package upload

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/sandbox"
)

// TestCheckedIsWhatIsSent asks with validate_only what a request would do, sees that nothing
// has happened, and sends it: the outcomes are those that were foretold.
func TestCheckedIsWhatIsSent(t *testing.T) {
	t.Parallel()
	where := sandbox.Start(t, 3, zap.NewNop())
	api, err := client.New(where.API, "")
	if err != nil {
		t.Fatal(err)
	}
	for id, p := range map[string]client.Platform{"phone": client.PlatformAndroid, "tablet": client.PlatformIOS, "old": client.PlatformWeb} {
		if _, err := api.PutDevice(t.Context(), id, client.Device{Token: "t-" + id, Platform: p, UserID: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := api.PatchDevice(t.Context(), "old", client.DevicePatch{State: new(client.DeviceQuarantined)}); err != nil {
		t.Fatal(err)
	}
	message := json.RawMessage(`{"notification":{"title":"Hi"}}`)
	for name, c := range map[string]struct {
		to   client.Target
		want client.Preview
	}{
		"users": {
			client.Target{UserIDs: []string{"ann", "bob", "ann"}},
			client.Preview{
				Sends: 2, ByPlatform: client.PlatformCounts{Android: 1, IOS: 1}, Quarantined: 1, Duplicates: 3, NoDevice: 1,
				NoDeviceNames: []string{"bob"},
			},
		},
		"tokens": {
			client.Target{Tokens: []string{"t-phone", "t-new", "t-old"}},
			client.Preview{Sends: 2, ByPlatform: client.PlatformCounts{Android: 1, Unknown: 1}, Unrecorded: 1, Quarantined: 1},
		},
		"device ids": {
			client.Target{DeviceIDs: []string{"tablet", "lost"}},
			client.Preview{Sends: 1, ByPlatform: client.PlatformCounts{IOS: 1}, NoDevice: 1, NoDeviceNames: []string{"lost"}},
		},
		"a topic": {client.Target{Topic: "news"}, client.Preview{Sends: 1, ByPlatform: client.PlatformCounts{Topic: 1}}},
	} {
		request := client.Request{To: &c.to, Message: message, Labels: map[string]string{"of": "checked"}, ValidateOnly: true}
		before := registered(t, api)
		checked, err := api.Send(t.Context(), request)
		if err != nil || checked.Preview == nil || len(checked.Preview.Sizes) != 3 || len(checked.Preview.NotChecked) == 0 {
			t.Fatalf("%s: %+v, %v", name, checked.Preview, err)
		}
		got := *checked.Preview
		got.Sizes, got.NotChecked = nil, nil
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for n, err := range api.Notifications(t.Context(), client.NotificationFilter{Labels: []string{"of=checked"}}) {
			t.Fatalf("%s was accepted: %+v, %v", name, n, err)
		}
		if after := registered(t, api); after != before {
			t.Fatalf("a check of %s recorded %d devices", name, after-before)
		}
		request.ValidateOnly, request.Labels["of"] = false, name
		n, err := api.Send(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		n, err = api.Await(t.Context(), n.ID, 20*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		by := map[client.Code]int64{
			client.CodeSent: got.Sends, client.CodeDeviceQuarantined: got.Quarantined, client.CodeDuplicate: got.Duplicates,
			client.CodeNoDevice: got.NoDevice,
		}
		for code, count := range by {
			if n.Counts.ByCode[code] != count {
				t.Errorf("%s: %d ended as %s, %d were foretold", name, n.Counts.ByCode[code], code, count)
			}
		}
		if n.Recipients != checked.Recipients {
			t.Errorf("%s: %d recipients, %d were foretold", name, n.Recipients, checked.Recipients)
		}
	}
}

// registered returns how many devices there are.
func registered(t *testing.T, api *client.Client) (n int) {
	t.Helper()
	for _, err := range api.Devices(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
