package devicetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// sent is the note of a send that FCM accepted, to an address of that name.
func (f *fixture) sent(name string) push.DeviceNote {
	at := epoch().Add(time.Second)
	return push.DeviceNote{
		Address: push.Address{Kind: push.KindToken, Value: push.Token("token-of-" + name)}, Code: push.CodeSent, SentAt: at,
		At: at.Add(50 * time.Millisecond), Record: true,
	}
}

// dead is the note of a send to an address that FCM called unregistered.
func (f *fixture) dead(name string, sentAt time.Time) push.DeviceNote {
	n := unregistered(push.Address{Kind: push.KindToken, Value: push.Token("token-of-" + name)}, sentAt)
	n.Record = true
	return n
}

// seen is the device that a note makes.
func (f *fixture) seen(n push.DeviceNote) push.Device {
	d := n.Seen(f.tenant)
	d.ID = push.SeenID(f.tenant, n.Address)
	return d
}

func (f *fixture) record(notes ...push.DeviceNote) {
	f.Helper()
	f.must(f.RecordDevices(f.Context(), f.tenant, notes))
}

func record(f *fixture) {
	known := f.device("known")
	known.UserID = "user"
	f.put(known)
	fid := f.sent("a")
	fid.Address = push.Address{Kind: push.KindFID, Value: "fid-of-a"}
	refused := f.sent("refused")
	refused.Code = push.CodeFCMSenderIDMismatch
	notes := []push.DeviceNote{f.sent("a"), f.sent("b"), fid, refused, f.sent("known")}
	f.record(notes...)
	for _, n := range notes[:4] {
		want := f.seen(n)
		f.same("recorded", f.get(want.ID), want)
		f.wantHolder(n.Address, want.ID)
		byID, err := f.DevicesByID(f.Context(), f.tenant, []push.ID{want.ID, "known"})
		f.must(err)
		f.same("by id", byID, map[push.ID]push.Device{want.ID: want, "known": known})
	}
	f.same("known", f.get("known"), known)
	f.wantGone(f.seen(f.sent("known")).ID)

	later := f.sent("a")
	later.SentAt, later.At = later.SentAt.Add(time.Hour), later.At.Add(time.Hour)
	f.record(later)
	f.same("recorded twice", f.get(f.seen(later).ID), f.seen(notes[0]))
	f.record()

	f.eventually(func() string {
		reach, err := f.ReachByAddress(f.Context(), f.tenant, []push.Address{notes[0].Address, refused.Address, f.sent("nobody").Address})
		f.must(err)
		return difference(reach, map[push.Address]push.Reach{
			notes[0].Address: {Sendable: true, LastSuccessAt: notes[0].At}, refused.Address: {Sendable: true},
		})
	})
	f.note(nil, later)
	if got := f.get(f.seen(later).ID); !got.LastSuccessAt.Equal(later.At) {
		f.Errorf("a later success left the last one at %v", got.LastSuccessAt)
	}
}

func recordMany(f *fixture) {
	const n = 2345
	var notes []push.DeviceNote
	for i := range n {
		notes = append(notes, f.sent(strconv.Itoa(i)))
	}
	f.record(append(notes, notes[:50]...)...)
	f.record(notes...)
	all := f.listed("", 1000)
	if len(all) != n || !slices.IsSortedFunc(all, func(a, b push.Device) int { return strings.Compare(string(a.ID), string(b.ID)) }) {
		f.Fatalf("%d devices, want %d in the order of ids", len(all), n)
	}
}

func recordConcurrently(f *fixture) {
	const callers = 6
	n := f.sent("contested")
	together(callers, func(i int) {
		if i == 0 {
			d := f.device("owner")
			d.Address = n.Address
			if err := f.PutDevices(f.Context(), []push.Device{d}); err != nil {
				f.Error(err)
			}
			return
		}
		if err := f.RecordDevices(f.Context(), f.tenant, []push.DeviceNote{n}); err != nil {
			f.Error(err)
		}
	})
	f.wantHolder(n.Address, "owner")
	f.eventually(func() string { return difference(len(f.listed("", 10)), 1) })
	f.wantGone(f.seen(n).ID)
}

func recordedIsRegistered(f *fixture) {
	own, other, moved := f.sent("own"), f.sent("other"), f.sent("moved")
	f.record(own, other, moved)

	// Under the id that it has: since when there is the device, and how its last sends
	// went, stays.
	d := f.device(string(f.seen(own).ID))
	d.Address, d.UserID, d.CreatedAt = own.Address, "alice", epoch().Add(time.Hour)
	f.put(d)
	d.CreatedAt, d.LastSuccessAt = own.SentAt, own.At
	f.same("registered under its id", f.get(d.ID), d)
	f.wantHolder(own.Address, d.ID)
	f.wantUser("alice", d.ID)

	// Under an id of the owner's, which takes the address.
	mine := f.device("mine")
	mine.Address = other.Address
	f.put(mine)
	f.same("registered under another id", f.get("mine"), mine)
	f.wantGone(f.seen(other).ID)
	f.wantHolder(other.Address, "mine")

	// And with another address under its id.
	away := f.device(string(f.seen(moved).ID))
	f.put(away)
	away.CreatedAt, away.LastSuccessAt = moved.SentAt, moved.At
	f.same("moved", f.get(away.ID), away)
	f.wantHolder(away.Address, away.ID)
	f.wantHolder(moved.Address, "")
	f.eventually(func() string { return difference(len(f.listed("", 10)), 3) })
}

func recordedIsChanged(f *fixture) {
	n := f.sent("a")
	want := f.seen(n)
	f.record(n, f.sent("b"))
	for _, user := range []string{"alice", ""} {
		got, err := f.ChangeDevice(f.Context(), f.tenant, want.ID, func(d *push.Device) error { d.UserID, d.Locale = user, "de"; return nil })
		f.must(err)
		want.UserID, want.Locale = user, "de"
		f.same("what ChangeDevice returns", got, want)
		f.same("changed", f.get(want.ID), want)
		f.wantHolder(n.Address, want.ID)
	}
	f.wantUser("alice")
	f.record(n)
	f.same("recorded over", f.get(want.ID), want)

	other := f.seen(f.sent("b"))
	for _, id := range []push.ID{want.ID, other.ID} {
		f.must(f.DeleteDevice(f.Context(), f.tenant, id))
		f.wantGone(id)
		f.mustBe(f.DeleteDevice(f.Context(), f.tenant, id), push.ErrNotFound)
	}
	f.wantHolder(n.Address, "")
	f.wantHolder(other.Address, "")
	f.record(n)
	f.same("recorded anew", f.get(want.ID), f.seen(n))
}

func recordedAreListed(f *fixture) {
	var want []push.Device
	var notes []push.DeviceNote
	for i := range 23 {
		notes = append(notes, f.sent(fmt.Sprint("seen-", i)))
		want = append(want, f.seen(notes[i]))
	}
	f.record(notes...)
	// Ids before, after and among those of the recorded devices.
	for _, id := range []string{
		"a", "dev", "dev_", "dev_0", "dev_7", "dev_7B", "dev_7g", "dev_8-", "dev_ffffffff-ffff-8fff-bfff-ffffffffffff", "dev_g", "z",
		string(want[3].ID) + "x", string(want[5].ID[:20]), string(want[7].ID[:12]) + "~", strings.ToUpper(string(want[9].ID)),
	} {
		d := f.device(id)
		f.put(d)
		want = append(want, d)
	}
	slices.SortFunc(want, func(a, b push.Device) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for _, limit := range []int{1, 2, 7, 1000} {
		f.eventually(func() string { return difference(f.listed("", limit), want) })
	}
	f.same("of nobody", f.listed("nobody", 10), []push.Device(nil))
}

func recordedOfTenants(f *fixture) {
	n := f.sent("a")
	other := *f
	other.tenant = f.tenant + "-other"
	f.record(n)
	other.record(n)
	other.note([]push.ID{other.seen(n).ID}, other.dead("a", n.At))
	f.same("this tenant's", f.get(f.seen(n).ID), f.seen(n))
	f.must(other.DeleteDevice(f.Context(), other.tenant, other.seen(n).ID))
	f.wantHolder(n.Address, f.seen(n).ID)
	f.wantGone(other.seen(n).ID)
}

func deadIsRemembered(f *fixture) {
	// While its record waits, or after it was dropped, the address is unknown.
	n := f.dead("unknown", epoch().Add(time.Minute))
	want := f.seen(n)
	if want.State != push.DeviceQuarantined {
		f.Fatalf("the device of a dead address is %s", want.State)
	}
	spared := f.dead("spared", n.SentAt)
	spared.Quarantine = false
	passed := f.dead("passed", n.SentAt)
	passed.Record = false
	f.note([]push.ID{want.ID}, n, spared, passed)
	f.same("remembered", f.get(want.ID), want)
	f.same("not quarantined", f.get(f.seen(spared).ID), f.seen(spared))
	f.wantHolder(n.Address, want.ID)
	f.wantHolder(passed.Address, "")
	f.eventually(func() string {
		reach, err := f.ReachByAddress(f.Context(), f.tenant, []push.Address{n.Address})
		f.must(err)
		return difference(reach, map[push.Address]push.Reach{n.Address: {}})
	})

	f.record(f.sent("unknown")) // what waited
	f.same("still quarantined", f.get(want.ID), want)
	f.note(nil, n)

	// Twice in one call is one device.
	twice := f.dead("twice", n.SentAt)
	f.note([]push.ID{f.seen(twice).ID}, twice, f.sent("twice"), twice)
	if got := f.get(f.seen(twice).ID); got.State != push.DeviceQuarantined || got.LastSuccessAt.IsZero() {
		f.Errorf("after three notes the device is %s, with a success at %v", got.State, got.LastSuccessAt)
	}

	// A registration that came after the send is not touched by it.
	fresh := f.device("fresh")
	fresh.Address, fresh.UpdatedAt = f.dead("fresh", epoch()).Address, epoch().Add(time.Hour)
	f.put(fresh)
	f.note(nil, f.dead("fresh", epoch().Add(time.Minute)))
	if got := f.get("fresh"); got.State != push.DeviceActive {
		f.Errorf("an answer about the past made the device %s", got.State)
	}
}

func recordedDies(f *fixture) {
	n := f.sent("a")
	then := n.At
	id := f.seen(n).ID
	f.record(n)
	f.note([]push.ID{id}, f.dead("a", then.Add(time.Minute)))
	if got := f.get(id); got.State != push.DeviceQuarantined || !got.LastSuccessAt.Equal(then) || got.LastFailure != push.CodeFCMUnregistered {
		f.Errorf("a dead device is %s, with %s and a success at %v", got.State, got.LastFailure, got.LastSuccessAt)
	}
	for range 2 {
		got, err := f.RestoreDevice(f.Context(), f.tenant, id)
		f.must(err)
		if got.State != push.DeviceActive || !got.QuarantinedAt.IsZero() {
			f.Errorf("restored to %s since %v", got.State, got.QuarantinedAt)
		}
		f.same("stored", f.get(id), got)
	}
	f.note([]push.ID{id}, f.dead("a", then.Add(time.Hour)))
	f.must(f.DeleteDevice(f.Context(), f.tenant, id))
	f.wantGone(id)
	f.wantHolder(n.Address, "")
	f.record(n)
	f.same("recorded anew", f.get(id), f.seen(n))
}

func recordedIDIsTaken(f *fixture) {
	n := f.sent("a")
	id := f.seen(n).ID
	owned := f.device(string(id))
	owned.Address.Value = "elsewhere"
	f.put(owned)
	f.record(n)
	f.same("the owner's", f.get(id), owned)
	f.wantHolder(owned.Address, id)

	gone, err := f.NoteDevices(f.Context(), f.tenant, []push.DeviceNote{f.dead("a", n.At)})
	f.must(err)
	if len(gone) != 1 || gone[0].ID == id || gone[0].Address != n.Address || gone[0].State != push.DeviceQuarantined {
		f.Fatalf("a dead address whose id is taken: %+v", gone)
	}
	f.same("the owner's", f.get(id), owned)
	f.same("the dead one's", f.get(gone[0].ID), gone[0])
	f.wantHolder(n.Address, gone[0].ID)
	f.eventually(func() string { return difference(len(f.listed("", 10)), 2) })

	f.must(f.DeleteDevice(f.Context(), f.tenant, gone[0].ID))
	f.same("the owner's", f.get(id), owned)
	f.must(f.DeleteDevice(f.Context(), f.tenant, id))
	f.wantGone(id)
	f.record(n)
	f.same("recorded once the id is free", f.get(id), f.seen(n))
}
