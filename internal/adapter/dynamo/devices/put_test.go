package devices

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/push"
)

func TestWaves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var ds []push.Device
		for i := range rapid.IntRange(0, 20).Draw(t, "devices") {
			d := newDevice(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "tenant"),
				rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id"), rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "value"))
			d.UpdatedAt = at().Add(time.Duration(i))
			ds = append(ds, d)
		}
		var flat []push.Device
		for _, wave := range waves(ds) {
			for i := range wave {
				if slices.ContainsFunc(wave[:i], func(o push.Device) bool { return shares(&o, &wave[i]) }) {
					t.Fatalf("a wave has %s at %s twice", wave[i].ID, wave[i].Address)
				}
			}
			flat = append(flat, wave...)
		}
		if len(flat) != len(ds) {
			t.Fatalf("%d devices in waves, want %d", len(flat), len(ds))
		}
		for i := range flat {
			for j := range i {
				if shares(&flat[j], &flat[i]) && !flat[j].UpdatedAt.Before(flat[i].UpdatedAt) {
					t.Fatalf("two registrations of %s and %s changed places", flat[j].ID, flat[i].ID)
				}
			}
		}
	})
}

func shares(a, b *push.Device) bool {
	return a.Tenant == b.Tenant && (a.ID == b.ID || a.Address == b.Address)
}

func newDevice(tenant, id, value string) push.Device {
	return push.Device{
		Tenant: tenant, ID: push.ID(id), Address: push.Address{Kind: push.KindToken, Value: push.Token(value)}, UserID: "user",
		State: push.DeviceActive, Source: push.SourceAPI, CreatedAt: at(), UpdatedAt: at(),
	}
}

// at is the time at which the tests' world begins.
func at() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 123_456_000, time.UTC) }
