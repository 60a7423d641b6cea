package fanout_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/device/devicetest"
	"github.com/belfry-push/belfry/internal/fanout"
	"github.com/belfry-push/belfry/internal/push"
)

// reading is the registry for those who may only read: any other call ends the test.
func (r *rig) reading(tb testing.TB) devicetest.Around {
	tb.Helper()
	return devicetest.Around{Store: r.devices, Do: func(op string, effect func() error) error {
		if !strings.HasPrefix(op, "DevicesBy") && op != "ReachByAddress" {
			tb.Errorf("a preview calls %s", op)
		}
		return effect()
	}}
}

func (r *rig) preview(tb testing.TB, n *push.Notification) fanout.Preview {
	tb.Helper()
	got, err := fanout.NewPreviewer(r.reading(tb)).Preview(tb.Context(), n)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// previews wants a preview that counts the rows which planning gives these codes.
func (r *rig) previews(tb testing.TB, n *push.Notification, cells []push.Code) {
	tb.Helper()
	got, want := r.preview(tb, n), map[push.Code]int{}
	for _, code := range cells {
		want[code]++
	}
	sends := 0
	for _, n := range got.Sends {
		sends += n
	}
	counts := map[push.Code]int{
		push.CodeOpen: sends, push.CodeDeviceQuarantined: got.Quarantined, push.CodeDuplicate: got.Duplicates, push.CodeNoDevice: got.NoDevice,
	}
	for code, n := range counts {
		if n == 0 {
			delete(counts, code)
		}
	}
	if diff := cmp.Diff(want, counts); diff != "" || got.Rows != len(cells) {
		tb.Errorf("a preview of %d rows, planned %d (-planned +preview):\n%s", got.Rows, len(cells), diff)
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for i, p := range []push.Platform{push.PlatformAndroid, push.PlatformIOS, push.PlatformWeb, ""} {
		id := fmt.Sprintf("d%d", i)
		r.devices.SetDevice(push.Device{
			Tenant: "acme", ID: push.ID(id), UserID: "ann", State: push.DeviceActive, Address: token(id), Platform: p,
		})
	}
	r.device("ill", "ann", "-ill", t0)
	r.devices.SetDevice(push.Device{Tenant: "other", ID: "x", UserID: "bob", State: push.DeviceActive, Address: token("x")})
	one := func(p push.Part) map[push.Part]int { return map[push.Part]int{p: 1} }
	for name, c := range map[string]struct {
		to   push.Target
		want fanout.Preview
	}{
		"users": {
			push.Target{UserIDs: []string{"bob", "ann", "bob"}},
			fanout.Preview{
				Rows: 7, Sends: map[push.Part]int{push.PartAndroid: 1, push.PartIOS: 1, push.PartWeb: 1, push.PartUnknown: 1},
				Quarantined: 1, NoDevice: 2, Deviceless: []string{"bob"},
			},
		},
		"tokens": {
			push.Target{Tokens: []push.Token{"d0", "new", "new", "ill"}},
			fanout.Preview{
				Rows: 4, Sends: map[push.Part]int{push.PartAndroid: 1, push.PartUnknown: 1}, Unrecorded: 1, Quarantined: 1, Duplicates: 1,
			},
		},
		"device ids": {
			push.Target{DeviceIDs: []push.ID{"d1", "none"}},
			fanout.Preview{Rows: 2, Sends: one(push.PartIOS), NoDevice: 1, Deviceless: []string{"none"}},
		},
		"installations": {push.Target{FIDs: []push.Token{"d0"}}, fanout.Preview{Rows: 1, Sends: one(push.PartUnknown), Unrecorded: 1}},
		"a topic":       {push.Target{Topic: "news"}, fanout.Preview{Rows: 1, Sends: one(push.PartTopic)}},
		"a condition":   {push.Target{Condition: "'a' in topics"}, fanout.Preview{Rows: 1, Sends: one(push.PartTopic)}},
	} {
		got := r.preview(t, &push.Notification{ID: ntfID, Tenant: "acme", Target: c.to})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The first users without a device are named, and a thousand of anything cost a bounded
// number of calls: of what a send costs, nothing but its look-ups.
func TestPreviewIsBounded(t *testing.T) {
	t.Parallel()
	r := setup(t)
	var users []string
	var addresses []push.Token
	for i := range push.MaxInlineTargets {
		users = append(users, fmt.Sprintf("u%04d", i))
		addresses = append(addresses, push.Token(fmt.Sprintf("t%04d", i)))
	}
	got := r.preview(t, &push.Notification{ID: ntfID, Tenant: "acme", Target: push.Target{UserIDs: users}})
	if diff := cmp.Diff(users[:fanout.MaxDeviceless], got.Deviceless); diff != "" || got.NoDevice != len(users) {
		t.Errorf("%d without a device (-want +got):\n%s", got.NoDevice, diff)
	}
	calls := 0
	counting := devicetest.Around{Store: r.devices, Do: func(_ string, effect func() error) error { calls++; return effect() }}
	n := &push.Notification{ID: ntfID, Tenant: "acme", Target: push.Target{Tokens: addresses}}
	v, err := fanout.NewPreviewer(counting).Preview(t.Context(), n)
	if err != nil || v.Unrecorded != len(addresses) || calls != len(addresses)/push.MaxChunkRecipients {
		t.Errorf("%d unrecorded by %d calls (%v)", v.Unrecorded, calls, err)
	}
}

// What planning would give up is refused, with its place.
func TestPreviewOfTooManyDevices(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for i := range push.MaxPageBytes / 4000 {
		id := fmt.Sprintf("d%d", i)
		r.device(push.ID(id), "ann", id+strings.Repeat("x", 4000), t0)
	}
	_, err := fanout.NewPreviewer(r.devices).Preview(t.Context(), &push.Notification{
		ID: ntfID, Tenant: "acme", Target: push.Target{UserIDs: []string{"ann"}},
	})
	faults, _ := errors.AsType[push.Faults](err)
	if len(faults) != 1 || faults[0].Pointer != "/to/user_ids" || faults[0].Code != push.FaultTooLarge {
		t.Errorf("got %v", err)
	}
}

// A registry that is away is no answer about recipients.
func TestPreviewWithoutARegistry(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	for _, to := range []push.Target{{UserIDs: []string{"ann"}}, {DeviceIDs: []push.ID{"d"}}, {Tokens: []push.Token{"t"}}} {
		r := setup(t)
		broken := devicetest.Around{Store: r.devices, Do: func(string, func() error) error { return away }}
		n := &push.Notification{ID: ntfID, Tenant: "acme", Target: to}
		if _, err := fanout.NewPreviewer(broken).Preview(t.Context(), n); !errors.Is(err, away) {
			t.Errorf("%+v: %v", to, err)
		}
	}
}
