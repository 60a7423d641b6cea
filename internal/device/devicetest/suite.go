// Package devicetest is the conformance suite of the device registry, and the
// plainest registry that passes it: [Memory], for tests of what stands on the port. Every
// driver of [device.Store] runs it.
package devicetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/push"
)

// Features says where a driver legitimately differs.
type Features struct {
	// Restart opens a store on data of its own; calling the returned function
	// again closes the store and opens the same data anew. Nil where the data
	// lives in a service that outlasts the process.
	Restart func(t *testing.T) func() device.Store
	// Lag is how long lookups other than by id (Devices of a user,
	// DevicesByAddress, PurgeQuarantined) may trail a write; 0 if they never do.
	// DevicesByUser never does, nor does the end of a quarantine.
	Lag time.Duration
}

// Run holds a driver to the contract of [device.Store]. open may return one
// store for all cases: each works in a tenant of its own. Cases run in parallel.
func Run(t *testing.T, open func(t *testing.T) device.Store, features Features) {
	t.Helper()
	cases := []struct {
		name string
		run  func(f *fixture)
	}{
		{"a device comes back as it was", roundTrip},
		{"a put replaces all but the history", replace},
		{"a new address under the same id frees the old one", changeAddress},
		{"an address belongs to the device that presented it last", stealAddress},
		{"two devices may swap addresses in one put", swapAddresses},
		{"a change leaves alone what it does not touch", change},
		{"a change may give the device to another user, who finds it at once", changeUser},
		{"a change that fails changes nothing", changeFails},
		{"changes that meet do not undo each other", changeConcurrently},
		{"kind and value make an address", kinds},
		{"the last registration of a batch holds", lastOfBatch},
		{"of concurrent registrations of an address one remains", stealConcurrently},
		{"a thousand devices fit in one put", thousand},
		{"a deleted device is gone", deleteDevice},
		{"devices are listed by id", list},
		{"a user's devices are listed", listUser},
		{"a cursor is checked", badCursor},
		{"lookups find what is there", lookups},
		{"lookups for sends say the same, for less", reach},
		{"a device that was put is found by its user at once", fresh},
		{"tenants do not see each other", tenants},
		{"only unknown addresses are recorded", record},
		{"thousands of notes are recorded, each address once", recordMany},
		{"of concurrent records and a registration one device remains", recordConcurrently},
		{"a recorded address may be registered under any id", recordedIsRegistered},
		{"a recorded device is changed, deleted and recorded anew", recordedIsChanged},
		{"recorded devices are listed among the others, in the order of ids", recordedAreListed},
		{"tenants record the same address", recordedOfTenants},
		{"a dead address is remembered, known or not", deadIsRemembered},
		{"a dead address that was recorded is quarantined and restored", recordedDies},
		{"an id that its owner uses elsewhere is not given away", recordedIDIsTaken},
		{"notes leave a history", notes},
		{"a note quarantines", quarantine},
		{"a renewed registration is not quarantined", renewed},
		{"a put ends a quarantine", putEndsQuarantine},
		{"a quarantined device is restored", restore},
		{"quarantined devices are purged", purge},
		{"a cancelled context is an error", cancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&fixture{T: t, Store: open(t), tenant: string(push.NewID("tenant")), lag: features.Lag})
		})
	}
	t.Run("what was written survives a restart", func(t *testing.T) {
		t.Parallel()
		if features.Restart == nil {
			t.Skip("the data lives in a service")
		}
		restart(t, features.Restart(t))
	})
}

// RunFresh holds a driver to what must hold however far its indexes and its
// cheap reads trail: open returns a store whose do, by far.
func RunFresh(t *testing.T, open func(t *testing.T) device.Store) {
	t.Helper()
	fresh(&fixture{T: t, Store: open(t), tenant: string(push.NewID("tenant"))})
}

// A fixture is what one case works with.
type fixture struct {
	*testing.T
	device.Store

	tenant string
	lag    time.Duration
}

// epoch is the time at which the suite's world begins. Microseconds are what
// every driver keeps.
func epoch() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 123_456_000, time.UTC) }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) mustBe(got, want error) {
	f.Helper()
	if !errors.Is(got, want) {
		f.Fatalf("error = %v, want one that is %v", got, want)
	}
}

func difference(got, want any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if diff := difference(got, want); diff != "" {
		f.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// eventually repeats check until it says "" or the driver's lag is over.
func (f *fixture) eventually(check func() string) {
	f.Helper()
	deadline := time.Now().Add(f.lag)
	for {
		problem := check()
		if problem == "" {
			return
		}
		if !time.Now().Before(deadline) {
			f.Fatal(problem)
		}
		pause := time.NewTimer(f.lag / 20)
		select {
		case <-pause.C:
		case <-f.Context().Done():
			f.Fatal(problem)
		}
	}
}

// device returns an active device with the given id; its address is its own.
func (f *fixture) device(id string) push.Device {
	return push.Device{
		Tenant: f.tenant, ID: push.ID(id), Address: push.Address{Kind: push.KindToken, Value: push.Token("token-of-" + id)},
		Platform: push.PlatformAndroid, State: push.DeviceActive, Source: push.SourceAPI,
		CreatedAt: epoch(), UpdatedAt: epoch(),
	}
}

func (f *fixture) put(ds ...push.Device) {
	f.Helper()
	f.must(f.PutDevices(f.Context(), ds))
}

func (f *fixture) get(id push.ID) push.Device {
	f.Helper()
	d, err := f.Device(f.Context(), f.tenant, id)
	f.must(err)
	return d
}

func (f *fixture) wantGone(id push.ID) {
	f.Helper()
	_, err := f.Device(f.Context(), f.tenant, id)
	f.mustBe(err, push.ErrNotFound)
}

// wantHolder checks which device holds an address; "" means none.
func (f *fixture) wantHolder(a push.Address, want push.ID) {
	f.Helper()
	f.eventually(func() string {
		found, err := f.DevicesByAddress(f.Context(), f.tenant, []push.Address{a})
		f.must(err)
		if d, ok := found[a]; ok != (want != "") || d.ID != want {
			return fmt.Sprintf("%s belongs to %q, want %q", a, d.ID, want)
		}
		return ""
	})
}

// together runs fn in n goroutines that start at once, and returns when all are
// done.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

func cancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	d := f.device("a")
	putErr := f.PutDevices(ctx, []push.Device{d})
	_, getErr := f.Device(ctx, f.tenant, d.ID)
	_, lookupErr := f.DevicesByAddress(ctx, f.tenant, []push.Address{d.Address})
	for _, err := range []error{putErr, getErr, lookupErr} {
		f.mustBe(err, context.Canceled)
	}
}

func restart(t *testing.T, open func() device.Store) {
	t.Helper()
	f := &fixture{T: t, Store: open(), tenant: string(push.NewID("tenant"))}
	d := f.device("a")
	d.UserID = "user"
	f.put(d)
	seen := f.sent("seen")
	f.must(f.RecordDevices(f.Context(), f.tenant, []push.DeviceNote{seen}))
	f.Store = open()
	f.same("device", f.get("a"), d)
	f.wantHolder(d.Address, "a")
	f.same("recorded device", f.get(push.SeenID(f.tenant, seen.Address)), f.seen(seen))
}
