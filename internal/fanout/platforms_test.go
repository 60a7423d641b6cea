package fanout_test

import (
	"testing"
	"time"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/push"
)

// TestPlatforms: chunks say of which platform a recipient is, as the registry has
// it: when they are planned, sent again after a hold, and made anew.
func TestPlatforms(t *testing.T) {
	t.Parallel()
	r := setup(t)
	for i, p := range []push.Platform{push.PlatformIOS, push.PlatformWeb, push.PlatformAndroid} {
		id := push.ID("dev-" + string(p))
		r.devices.SetDevice(push.Device{
			ID: id, Tenant: "acme", Address: tokens(i+1, 1)[0].Address, Platform: p, State: push.DeviceActive, LastSuccessAt: t0,
		})
	}
	check := func(when string) {
		t.Helper()
		chunks := chunks(r.bulk)
		if len(chunks) == 0 {
			t.Fatalf("%s: no chunk", when)
		}
		for i, want := range []push.Platform{push.PlatformIOS, push.PlatformWeb, push.PlatformAndroid, ""} {
			if got := chunks[0].Recipients[i].Platform; got != want {
				t.Errorf("%s: recipient %d is %q, want %q", when, i, got, want)
			}
		}
		r.bulk.TakeAll()
		r.tasks.TakeAll()
	}
	n := r.batch(t, tokens(1, 1200))
	r.run(t, n.ID)
	check("planned")
	for seq := range 3 {
		r.change(n.ID, seq, func(l *ledger.Line) { l.State = ledger.StateParked })
	}
	r.run(t, n.ID)
	check("parked")
	r.now = t0.Add(time.Hour)
	if v := r.handle(r.recallOf(&n, 0)); v.word != "ack" {
		t.Fatalf("%+v", v)
	}
	check("recalled")
}
