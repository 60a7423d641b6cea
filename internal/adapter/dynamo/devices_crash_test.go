package dynamo

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

func newDevice(tenant, id, value string) push.Device {
	return push.Device{
		Tenant: tenant, ID: push.ID(id), Address: push.Address{Kind: push.KindToken, Value: push.Token(value)}, UserID: "user",
		State: push.DeviceActive, Source: push.SourceAPI, CreatedAt: at(), UpdatedAt: at(),
	}
}

// devicesOf lists a tenant's devices and holds the other lookups against the
// listing: every way to a device must lead to the same one.
func devicesOf(ctx context.Context, tb rapid.TB, s *Store, tenant string) map[push.ID]push.Device {
	tb.Helper()
	all, next, err := s.Devices(ctx, tenant, "", "", 1000)
	if err != nil || next != "" {
		tb.Fatalf("list: %v, cursor %q", err, next)
	}
	out := make(map[push.ID]push.Device, len(all))
	for _, d := range all {
		out[d.ID] = d
		byID, err := s.Device(ctx, tenant, d.ID)
		if err != nil || byID.Address != d.Address {
			tb.Fatalf("%s is listed but by id it is at %s, %v", d.ID, byID.Address, err)
		}
		found, err := s.DevicesByAddress(ctx, tenant, []push.Address{d.Address})
		if err != nil || found[d.Address].ID != d.ID {
			tb.Fatalf("%s is listed at %s, but there is %q, %v", d.ID, d.Address, found[d.Address].ID, err)
		}
	}
	return out
}

func TestCrashInPutDevices(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	tenant := func(run int) string { return fmt.Sprint("tenant-", run) }
	// "mover" leaves its address and takes that of "victim".
	x.crash(t, 5, func(dying *Store, run int) error {
		must(t, s.PutDevices(t.Context(), []push.Device{newDevice(tenant(run), "mover", "old"), newDevice(tenant(run), "victim", "new")}))
		return dying.PutDevices(t.Context(), []push.Device{newDevice(tenant(run), "mover", "new")})
	}, func(run int) {
		there := devicesOf(t.Context(), t, s, tenant(run))
		if _, ok := there["mover"]; !ok {
			t.Errorf("after %d writes the device itself is gone", run)
		}
		must(t, s.PutDevices(t.Context(), []push.Device{newDevice(tenant(run), "mover", "new")})) // the app tries again
		there = devicesOf(t.Context(), t, s, tenant(run))
		if len(there) != 1 || there["mover"].Address.Value != "new" {
			t.Errorf("after %d writes and a second try: %v", run, there)
		}
		former := push.Address{Kind: push.KindToken, Value: "old"}
		found, err := s.DevicesByAddress(t.Context(), tenant(run), []push.Address{former})
		must(t, err)
		// A crash between the pointer and the removal leaves the former address, of
		// the same app instance: FCM will call it unregistered.
		const between = 3
		if d, ok := found[former]; ok && (run != between || d.ID != "mover") {
			t.Errorf("after %d writes and a second try %s is at the former address", run, d.ID)
		}
	})
}

func TestCrashInRecordDevices(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	d := func(run int) push.Device { return newDevice(fmt.Sprint("tenant-", run), "seen", "value") }
	note := func(run int) []push.DeviceNote {
		return []push.DeviceNote{{Address: d(run).Address, Code: push.CodeSent, At: at(), SentAt: at(), Record: true}}
	}
	x.crash(t, 1, func(dying *Store, run int) error {
		return dying.RecordDevices(t.Context(), d(run).Tenant, note(run))
	}, func(run int) {
		if n := len(devicesOf(t.Context(), t, s, d(run).Tenant)); n != 0 && run < 1 {
			t.Errorf("after %d writes %d devices", run, n)
		}
		must(t, s.RecordDevices(t.Context(), d(run).Tenant, note(run))) // the next send
		if n := len(devicesOf(t.Context(), t, s, d(run).Tenant)); n != 1 {
			t.Errorf("after %d writes and the next send %d devices, want 1", run, n)
		}
	})
}

func TestCrashInDeleteDevice(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	tenant := func(run int) string { return fmt.Sprint("tenant-", run) }
	x.crash(t, 2, func(dying *Store, run int) error {
		must(t, s.PutDevices(t.Context(), []push.Device{newDevice(tenant(run), "a", "value")}))
		return dying.DeleteDevice(t.Context(), tenant(run), "a")
	}, func(run int) {
		devicesOf(t.Context(), t, s, tenant(run))
		if err := s.DeleteDevice(t.Context(), tenant(run), "a"); (err == nil) != (run == 0) {
			t.Errorf("after %d writes a second deletion says %v", run, err)
		}
		must(t, s.PutDevices(t.Context(), []push.Device{newDevice(tenant(run), "a", "value")}))
		if n := len(devicesOf(t.Context(), t, s, tenant(run))); n != 1 {
			t.Errorf("registered anew: %d devices, want 1", n)
		}
	})
}

// TestDevicesAgainstModel registers, deletes and notes a few devices at a few
// addresses in any order. Any call may crash after any write and is then
// repeated, as a caller does; the registry must end up where a plain map does.
func TestDevicesAgainstModel(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	s := x.store()
	rapid.Check(t, func(t *rapid.T) {
		tenant := string(push.NewID("tenant"))
		model := map[push.ID]push.Address{}
		ids := rapid.SampledFrom([]string{"a", "b", "c"})
		values := rapid.SampledFrom([]string{"1", "2", "3"})
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			id, value := ids.Draw(t, "id"), values.Draw(t, "value")
			if of := rapid.SampledFrom([]string{"", "", "1", "2"}).Draw(t, "the id follows from"); of != "" {
				id = string(push.SeenID(tenant, newDevice(tenant, "", of).Address))
			}
			if rapid.IntRange(0, 3).Draw(t, "record") == 0 {
				a := newDevice(tenant, "", value).Address
				n := push.DeviceNote{Address: a, Code: push.CodeSent, At: at(), SentAt: at(), Record: true}
				must(t, s.RecordDevices(t.Context(), tenant, []push.DeviceNote{n}))
				known := false
				for _, other := range model {
					known = known || other == a
				}
				got := devicesOf(t.Context(), t, s, tenant)
				if d, made := got[push.SeenID(tenant, a)]; !known && made && d.Address == a { // a mark that a crash left keeps an address unknown
					model[push.SeenID(tenant, a)] = a
				}
			}
			crash := rapid.IntRange(0, 6).Draw(t, "writes before the crash")
			do := func(s *Store) error {
				return s.PutDevices(t.Context(), []push.Device{newDevice(tenant, id, value)})
			}
			remove := rapid.IntRange(0, 3).Draw(t, "delete") == 0
			if remove {
				do = func(s *Store) error {
					err := s.DeleteDevice(t.Context(), tenant, push.ID(id))
					if errors.Is(err, push.ErrNotFound) {
						return nil
					}
					return err
				}
			}
			if err := do(x.mortalStore(crash)); err != nil {
				if !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				if err := do(s); err != nil {
					t.Fatal(err)
				}
			}
			if remove {
				delete(model, push.ID(id))
			} else {
				for other, a := range model {
					if a.Value == push.Token(value) {
						delete(model, other)
					}
				}
				model[push.ID(id)] = push.Address{Kind: push.KindToken, Value: push.Token(value)}
			}
			got := devicesOf(t.Context(), t, s, tenant)
			if len(got) != len(model) {
				t.Fatalf("%d devices, want %d", len(got), len(model))
			}
			for id, a := range model {
				if got[id].Address != a {
					t.Fatalf("%s is at %s, want %s", id, got[id].Address, a)
				}
			}
		}
	})
}

// TestDevicesOfBeforeTheMarks: registered devices whose addresses have no mark, as older
// versions left them, are found, noted, renewed, taken over and removed.
func TestDevicesOfBeforeTheMarks(t *testing.T) {
	t.Parallel()
	x := newTables(t)
	const tenant = "tenant"
	old := x.store()
	var devices []push.Device
	for _, id := range []string{"a", "b", "c"} {
		devices = append(devices, newDevice(tenant, id, "value-"+id))
	}
	must(t, old.PutDevices(t.Context(), devices))
	for _, d := range devices {
		id := string(push.SeenID(tenant, d.Address))
		_, err := x.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
			TableName: aws.String(x.prefix + "-devices"), ReturnValues: types.ReturnValueAllOld,
			Key: table.Item{table.AttrPK: table.Text("S#" + id[4:5] + "#" + tenant), table.AttrSK: table.Text(id)},
		})
		must(t, err)
	}
	s := x.store() // a process that starts on these
	reach, err := s.ReachByAddress(t.Context(), tenant, []push.Address{devices[0].Address, devices[1].Address, devices[2].Address})
	must(t, err)
	same(t, "found", len(reach), 3)
	gone := push.DeviceNote{
		Address: devices[0].Address, Code: push.CodeFCMUnregistered, At: at(), SentAt: at(), Quarantine: true, Record: true,
	}
	quarantined, err := s.NoteDevices(t.Context(), tenant, []push.DeviceNote{gone})
	must(t, err)
	if len(quarantined) != 1 || quarantined[0].ID != "a" {
		t.Errorf("quarantined %+v", quarantined)
	}
	thief := newDevice(tenant, "thief", "value-b")
	must(t, s.PutDevices(t.Context(), []push.Device{devices[0], thief}))
	must(t, s.DeleteDevice(t.Context(), tenant, "c"))
	there := devicesOf(t.Context(), t, s, tenant)
	if len(there) != 2 || there["a"].State != push.DeviceActive || there["thief"].Address != thief.Address {
		t.Errorf("left: %v", there)
	}
}
