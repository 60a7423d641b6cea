package outage

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/test/programs"
)

// A check on AWS says whom the tables have now. While they are away, it says when to come
// back, and not that nobody has a device.
func TestChecksWhileTheRegistryIsAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for id, platform := range map[string]string{"phone": "android", "tablet": "ios"} {
		body := `{"token":"t-` + id + `","platform":"` + platform + `","user_id":"ann"}`
		if a := h.ask(http.MethodPut, h.ingest+"/v1/devices/"+id, body); a.status != http.StatusOK {
			t.Fatalf("register: status %d: %s", a.status, a.body)
		}
	}
	targets := map[string]client.Preview{
		`{"user_ids":["ann","bob"]}`: {
			Sends: 2, ByPlatform: client.PlatformCounts{Android: 1, IOS: 1}, NoDevice: 1, NoDeviceNames: []string{"bob"},
		},
		`{"device_ids":["tablet","none"]}`: {Sends: 1, ByPlatform: client.PlatformCounts{IOS: 1}, NoDevice: 1, NoDeviceNames: []string{"none"}},
		`{"tokens":["t-phone","new","new"]}`: {
			Sends: 2, ByPlatform: client.PlatformCounts{Android: 1, Unknown: 1}, Unrecorded: 1, Duplicates: 1,
		},
	}
	check := func(to string) answer {
		return h.ask(http.MethodPost, h.ingest+"/v1/notifications", strings.Replace(send, `{"tokens":["t"]}`, to+`,"validate_only":true`, 1))
	}
	found := func() {
		t.Helper()
		for to, want := range targets {
			var n client.Notification
			a := check(to)
			if err := json.Unmarshal(a.body, &n); err != nil || a.status != http.StatusOK || n.Preview == nil {
				t.Fatalf("%s: status %d: %s", to, a.status, a.body)
			}
			n.Preview.Sizes, n.Preview.NotChecked = nil, nil
			if diff := cmp.Diff(&want, n.Preview); diff != "" {
				t.Errorf("%s (-want +got):\n%s", to, diff)
			}
		}
	}
	found()
	for name, f := range faults() {
		h.proxy.fault.Store(&f)
		for to := range targets {
			a := check(to)
			seconds, err := strconv.Atoi(a.after)
			if a.status != http.StatusServiceUnavailable && a.status != http.StatusTooManyRequests || err != nil || seconds <= 0 {
				t.Errorf("%s: %s: status %d, Retry-After %q: %s", name, to, a.status, a.after, a.body)
			}
		}
	}
	h.proxy.fault.Store(nil)
	// Calls are refused until the audit log has written what it could not.
	programs.WaitFor(t, "the audit log to write again", func() bool { return check(`{"user_ids":["ann","bob"]}`).status == http.StatusOK })
	found() // and nothing was recorded by the first time
}
