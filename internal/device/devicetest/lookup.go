package devicetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// wantUser checks which devices a user has, in any order.
func (f *fixture) wantUser(user string, want ...push.ID) {
	f.Helper()
	found, err := f.DevicesByUser(f.Context(), f.tenant, []string{user})
	f.must(err)
	var got []push.ID
	for _, d := range found[user] {
		got = append(got, d.ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		f.Fatalf("user %q has devices %v, want %v", user, got, want)
	}
}

// fresh follows devices through what a send that comes right after must know:
// the first device of a user and another one, one that changes its address, its
// user or both, one that is deleted, and one that registers anew from quarantine.
func fresh(f *fixture) {
	f.wantUser("u")
	a, b := f.device("a"), f.device("b")
	a.UserID, b.UserID = "u", "u"
	f.put(a)
	f.wantUser("u", "a")
	f.put(b)
	f.wantUser("u", "a", "b")
	f.put(a) // renewed
	f.wantUser("u", "a", "b")

	a.Address.Value = "another"
	f.put(a)
	f.wantUser("u", "a", "b")
	found, err := f.DevicesByUser(f.Context(), f.tenant, []string{"u"})
	f.must(err)
	f.same("the address", found["u"][0].Address, a.Address)

	a.UserID = "v"
	f.put(a)
	f.wantUser("u", "b")
	f.wantUser("v", "a")
	a.UserID, a.Address.Value = "u", "a third"
	f.put(a)
	f.wantUser("u", "a", "b")
	f.wantUser("v")
	a.UserID = ""
	f.put(a)
	f.wantUser("u", "b")

	stolen := f.device("c")
	stolen.UserID, stolen.Address = "v", b.Address
	f.put(stolen)
	f.wantUser("u")
	f.wantUser("v", "c")

	f.must(f.DeleteDevice(f.Context(), f.tenant, "c"))
	f.wantUser("v")
	f.put(stolen)
	f.wantUser("v", "c")

	_, err = f.NoteDevices(f.Context(), f.tenant, []push.DeviceNote{unregistered(stolen.Address, epoch().Add(time.Second))})
	f.must(err)
	f.put(stolen)
	reach, err := f.ReachByAddress(f.Context(), f.tenant, []push.Address{stolen.Address})
	f.must(err)
	if r, known := reach[stolen.Address]; known && !r.Sendable {
		f.Error("a device that registered anew is passed over as quarantined")
	}
}

func lookups(f *fixture) {
	a, b, c := f.device("a"), f.device("b"), f.device("c")
	a.UserID, b.UserID, c.UserID = "grün", "grün", "blau 🐝"
	f.put(a, b, c)
	ghost := push.Address{Kind: push.KindToken, Value: "ghost"}

	byID, err := f.DevicesByID(f.Context(), f.tenant, []push.ID{"a", "ghost", "c", "a"})
	f.must(err)
	f.same("by id", byID, map[push.ID]push.Device{"a": a, "c": c})
	f.eventually(func() string {
		byAddress, err := f.DevicesByAddress(f.Context(), f.tenant, []push.Address{c.Address, ghost, a.Address, c.Address})
		f.must(err)
		return difference(byAddress, map[push.Address]push.Device{a.Address: a, c.Address: c})
	})
	f.wantUser("grün", "a", "b")
	f.eventually(func() string {
		byUser, err := f.DevicesByUser(f.Context(), f.tenant, []string{"grün", "nobody", "blau 🐝", "grün"})
		f.must(err)
		if len(byUser["nobody"]) != 0 || len(byUser["grün"]) != 2 {
			return fmt.Sprintf("%d devices of nobody and %d of grün", len(byUser["nobody"]), len(byUser["grün"]))
		}
		return difference(byUser["blau 🐝"], []push.Device{c})
	})

	none, err := f.DevicesByAddress(f.Context(), f.tenant, nil)
	f.must(err)
	noUsers, err := f.DevicesByUser(f.Context(), f.tenant, nil)
	f.must(err)
	noIDs, err := f.DevicesByID(f.Context(), f.tenant, nil)
	f.must(err)
	if len(none)+len(noUsers)+len(noIDs) != 0 {
		f.Error("looking up nothing found something")
	}
}

// Devices without a user belong to nobody: the empty user id has none.
func tenants(f *fixture) {
	other := *f
	other.tenant += "-other"
	mine, theirs := f.device("same-id"), other.device("same-id")
	mine.UserID, theirs.UserID = "same-user", "same-user"
	theirs.AppVersion = "theirs"
	anonymous := f.device("anonymous")
	f.put(mine, anonymous)
	other.put(theirs)

	f.same("mine", f.get("same-id"), mine)
	f.same("theirs", other.get("same-id"), theirs)
	f.wantHolder(mine.Address, "same-id")
	other.wantHolder(mine.Address, "same-id")
	f.wantUser("")
	f.wantUser("same-user", "same-id")
	f.eventually(func() string { return difference(other.listed("", 10), []push.Device{theirs}) })

	gone, err := other.NoteDevices(f.Context(), other.tenant, []push.DeviceNote{unregistered(theirs.Address, epoch())})
	f.must(err)
	if len(gone) != 1 || gone[0].Tenant != other.tenant {
		f.Fatalf("%d devices quarantined, want the other tenant's", len(gone))
	}
	f.must(f.DeleteDevice(f.Context(), other.tenant, "same-id"))
	f.same("mine, in the end", f.get("same-id"), mine)
}
