package devicetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// unregistered is the note of a send that FCM answered with UNREGISTERED.
func unregistered(a push.Address, sentAt time.Time) push.DeviceNote {
	return push.DeviceNote{
		Address: a, Code: push.CodeFCMUnregistered, SentAt: sentAt, At: sentAt.Add(50 * time.Millisecond), Quarantine: true,
	}
}

func (f *fixture) note(want []push.ID, notes ...push.DeviceNote) {
	f.Helper()
	gone, err := f.NoteDevices(f.Context(), f.tenant, notes)
	f.must(err)
	got := map[push.ID]bool{}
	for _, d := range gone {
		got[d.ID] = true
		if d.State != push.DeviceQuarantined || d.Tenant != f.tenant {
			f.Errorf("%s was reported as quarantined in state %q of tenant %q", d.ID, d.State, d.Tenant)
		}
	}
	if len(got) != len(want) || len(gone) != len(want) {
		f.Fatalf("%d devices quarantined, want %v", len(gone), want)
	}
	for _, id := range want {
		if !got[id] {
			f.Errorf("%s was not quarantined", id)
		}
	}
}

func notes(f *fixture) {
	a, b := f.device("a"), f.device("b")
	f.put(a, b)
	at := epoch().Add(time.Minute)
	ghost := push.Address{Kind: push.KindToken, Value: "ghost"}
	f.note(nil,
		push.DeviceNote{Address: a.Address, Code: push.CodeSent, At: at, SentAt: epoch()},
		push.DeviceNote{Address: ghost, Code: push.CodeSent, At: at, SentAt: epoch()},
		unregistered(push.Address{Kind: push.KindFID, Value: a.Address.Value}, at),
		push.DeviceNote{Address: b.Address, Code: push.CodeFCMThirdPartyAuth, At: at, SentAt: epoch()},
	)
	a.LastSuccessAt = at
	b.LastFailureAt, b.LastFailure = at, push.CodeFCMThirdPartyAuth
	f.same("after a success", f.get("a"), a)
	f.same("after a failure", f.get("b"), b)
	f.wantHolder(ghost, "")

	later := at.Add(time.Hour)
	f.note(nil, push.DeviceNote{Address: b.Address, Code: push.CodeSent, At: later, SentAt: at})
	b.LastSuccessAt = later
	f.same("after failure and success", f.get("b"), b)
	f.note(nil)
}

func quarantine(f *fixture) {
	a, b, c := f.device("a"), f.device("b"), f.device("c")
	a.UserID = "user"
	f.put(a, b, c)
	n := unregistered(a.Address, epoch().Add(time.Second))
	f.note([]push.ID{"a", "b"}, n, unregistered(b.Address, epoch()),
		push.DeviceNote{Address: c.Address, Code: push.CodeFCMUnregistered, At: n.At, SentAt: n.SentAt})

	a.State, a.QuarantinedAt, a.LastFailureAt, a.LastFailure = push.DeviceQuarantined, n.At, n.At, push.CodeFCMUnregistered
	f.same("quarantined", f.get("a"), a)
	if got := f.get("c"); got.State != push.DeviceActive || got.LastFailure != push.CodeFCMUnregistered {
		f.Errorf("a note without quarantine made the device %s with %s", got.State, got.LastFailure)
	}
	f.wantHolder(a.Address, "a") // kept, for a restore
	f.wantUser("user", "a")

	again := unregistered(a.Address, epoch().Add(time.Hour))
	f.note(nil, again) // already quarantined: not this call's doing
	if got := f.get("a"); !got.QuarantinedAt.Equal(a.QuarantinedAt) {
		f.Errorf("a second note moved the quarantine from %v to %v", a.QuarantinedAt, got.QuarantinedAt)
	}
}

func renewed(f *fixture) {
	d := f.device("a")
	f.put(d)
	d.UpdatedAt = epoch().Add(time.Minute)
	f.put(d)
	f.note(nil, unregistered(d.Address, epoch().Add(59*time.Second)))
	if got := f.get("a"); got.State != push.DeviceActive || !got.QuarantinedAt.IsZero() {
		f.Errorf("an answer about the past made the device %s", got.State)
	}
	f.note([]push.ID{"a"}, unregistered(d.Address, d.UpdatedAt))

	// The address went to another device since: the answer is about the first.
	second := f.device("b")
	second.Address, second.UpdatedAt = d.Address, epoch().Add(time.Hour)
	f.put(second)
	f.note(nil, unregistered(d.Address, epoch().Add(30*time.Minute)))
	if got := f.get("b"); got.State != push.DeviceActive {
		f.Errorf("an answer about the former holder made the device %s", got.State)
	}
}

func putEndsQuarantine(f *fixture) {
	d := f.device("a")
	f.put(d)
	f.note([]push.ID{"a"}, unregistered(d.Address, epoch()))
	d.UpdatedAt = epoch().Add(time.Hour)
	d.State, d.QuarantinedAt = push.DeviceQuarantined, epoch() // a put makes active whatever it says
	f.put(d)
	got := f.get("a")
	if got.State != push.DeviceActive || !got.QuarantinedAt.IsZero() || got.LastFailure != push.CodeFCMUnregistered {
		f.Errorf("after a put the device is %s since %v with %s", got.State, got.QuarantinedAt, got.LastFailure)
	}
}

func restore(f *fixture) {
	d := f.device("a")
	f.put(d)
	f.note([]push.ID{"a"}, unregistered(d.Address, epoch()))
	for range 2 {
		got, err := f.RestoreDevice(f.Context(), f.tenant, "a")
		f.must(err)
		if got.State != push.DeviceActive || !got.QuarantinedAt.IsZero() {
			f.Errorf("restored to %s since %v", got.State, got.QuarantinedAt)
		}
		f.same("stored", f.get("a"), got)
	}
	_, err := f.RestoreDevice(f.Context(), f.tenant, "ghost")
	f.mustBe(err, push.ErrNotFound)
	f.note([]push.ID{"a"}, unregistered(d.Address, epoch().Add(time.Hour)))
}

// purge works in the year 2001, so that it removes no other case's devices.
func purge(f *fixture) {
	then := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	before := then.Add(90 * time.Second)
	ids := []push.ID{"a", "b", "c", "renewed"}
	var devices []push.Device
	var notes []push.DeviceNote
	for i, id := range ids {
		d := f.device(string(id))
		d.UpdatedAt = then.Add(-time.Hour)
		devices = append(devices, d)
		notes = append(notes, unregistered(d.Address, then.Add(time.Duration(i%3)*time.Minute)))
	}
	f.put(append(devices, f.device("active"))...)
	seen := f.dead("seen", then.Add(30*time.Second)) // that only sends know
	f.note(append(slices.Clone(ids), f.seen(seen).ID), append(notes, seen)...)
	f.put(devices[3])
	if n, err := f.PurgeQuarantined(f.Context(), then.Add(-time.Hour), 100); err != nil || n != 0 {
		f.Fatalf("purged %d, %v", n, err)
	}
	for i := range 3 {
		if i == 1 {
			f.get(f.seen(seen).ID) // the longest quarantined go first
		}
		f.eventually(func() string {
			if n, err := f.PurgeQuarantined(f.Context(), before, 1); err != nil || n != 1 {
				return fmt.Sprintf("purged %d, %v; want 1", n, err)
			}
			return ""
		})
	}
	if n, err := f.PurgeQuarantined(f.Context(), before, 100); err != nil || n != 0 {
		f.Errorf("purged %d more, %v", n, err)
	}
	f.wantGone("a")
	f.wantGone("b")
	f.wantGone(f.seen(seen).ID)
	f.wantHolder(devices[0].Address, "")
	f.wantHolder(seen.Address, "")
	for _, kept := range []push.ID{"c", "renewed", "active"} {
		f.get(kept)
	}
}
