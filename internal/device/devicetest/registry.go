package devicetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

func roundTrip(f *fixture) {
	at := epoch()
	everything := push.Device{
		Tenant: f.tenant, ID: "dev._:-Z9", Address: push.Address{Kind: push.KindFID, Value: `f"i\d'`},
		Platform: push.PlatformIOS, UserID: "Jürgen/用户#🐝", Locale: "de-CH", Timezone: "Europe/Zürich", AppVersion: "1.2.3 (β)",
		Attributes: map[string]string{"plan": "größer", "empty": "", "🐝": `"quoted"`},
		State:      push.DeviceActive, Source: push.SourceImport,
		LastSuccessAt: at.Add(-time.Hour), LastFailureAt: at.Add(-2 * time.Hour), LastFailure: push.CodeFCMThirdPartyAuth,
		CreatedAt: at.Add(-time.Minute), UpdatedAt: at,
	}
	bare := f.device("bare")
	bare.Platform, bare.Source = "", ""
	f.put(everything, bare)
	f.same("everything", f.get(everything.ID), everything)
	f.same("bare", f.get(bare.ID), bare)
	if got := f.get(bare.ID); !got.LastSuccessAt.IsZero() || !got.QuarantinedAt.IsZero() {
		f.Errorf("zero times became %v and %v", got.LastSuccessAt, got.QuarantinedAt)
	}
}

func replace(f *fixture) {
	old := f.device("a")
	old.UserID, old.Locale, old.Attributes = "user", "de", map[string]string{"k": "v"}
	old.LastSuccessAt, old.LastFailureAt, old.LastFailure = epoch().Add(time.Millisecond), epoch().Add(time.Second), push.CodeNetTimeout
	f.put(old)
	renewed := f.device("a")
	renewed.Platform, renewed.AppVersion = push.PlatformWeb, "2"
	renewed.CreatedAt, renewed.UpdatedAt = epoch().Add(time.Hour), epoch().Add(time.Hour)
	f.put(renewed)

	want := renewed
	want.CreatedAt = old.CreatedAt
	want.LastSuccessAt, want.LastFailureAt, want.LastFailure = old.LastSuccessAt, old.LastFailureAt, old.LastFailure
	f.same("replaced", f.get("a"), want)
	f.wantUser("user")
}

func changeAddress(f *fixture) {
	d := f.device("a")
	f.put(d)
	old := d.Address
	d.Address.Value = "newer"
	f.put(d)
	f.wantHolder(old, "")
	f.wantHolder(d.Address, "a")
	f.put(func() push.Device { b := f.device("b"); b.Address = old; return b }())
	f.wantHolder(old, "b")
	f.wantHolder(d.Address, "a")
}

func stealAddress(f *fixture) {
	first, second := f.device("first"), f.device("second")
	first.UserID, second.UserID = "alice", "bob"
	f.put(first)
	second.Address = first.Address
	f.put(second)
	f.wantGone("first")
	f.wantHolder(first.Address, "second")
	f.wantUser("alice")
	f.wantUser("bob", "second")
}

func swapAddresses(f *fixture) {
	a, b, c := f.device("a"), f.device("b"), f.device("c")
	f.put(a, b, c)
	a.Address, b.Address = b.Address, a.Address
	// In order: a takes b's address and thereby removes b, which then registers
	// with the address that a left.
	f.put(a, b)
	f.same("a", f.get("a").Address, a.Address)
	f.same("b", f.get("b").Address, b.Address)
	f.wantHolder(a.Address, "a")
	f.wantHolder(b.Address, "b")
	f.wantHolder(c.Address, "c")
}

func kinds(f *fixture) {
	token, fid := f.device("token"), f.device("fid")
	fid.Address = push.Address{Kind: push.KindFID, Value: token.Address.Value}
	f.put(token, fid)
	f.wantHolder(token.Address, "token")
	f.wantHolder(fid.Address, "fid")
}

func lastOfBatch(f *fixture) {
	first, last, thief := f.device("a"), f.device("a"), f.device("b")
	first.AppVersion, last.AppVersion = "1", "2"
	last.Address.Value = "moved"
	thief.Address = first.Address
	f.put(first, last, thief)
	f.same("version", f.get("a").AppVersion, "2")
	f.wantHolder(last.Address, "a")
	f.wantHolder(first.Address, "b")
}

func stealConcurrently(f *fixture) {
	const callers = 6
	address := push.Address{Kind: push.KindToken, Value: "contested"}
	together(callers, func(i int) {
		d := f.device(fmt.Sprintf("device-%d", i))
		d.Address = address
		if err := f.PutDevices(f.Context(), []push.Device{d}); err != nil {
			f.Error(err)
		}
	})
	f.eventually(func() string {
		all := f.listed("", 1000)
		found, err := f.DevicesByAddress(f.Context(), f.tenant, []push.Address{address})
		f.must(err)
		if len(all) != 1 || len(found) != 1 || all[0].ID != found[address].ID {
			return fmt.Sprintf("%d devices remain, and %d under the address", len(all), len(found))
		}
		return ""
	})
}

func thousand(f *fixture) {
	ds := make([]push.Device, 1000)
	addresses := make([]push.Address, len(ds))
	ids := make([]push.ID, len(ds))
	for i := range ds {
		ds[i] = f.device(fmt.Sprintf("device-%04d", i))
		addresses[i], ids[i] = ds[i].Address, ds[i].ID
	}
	f.put(ds...)
	f.put(ds...) // again, over the existing ones
	byID, err := f.DevicesByID(f.Context(), f.tenant, ids)
	f.must(err)
	if len(byID) != len(ds) {
		f.Fatalf("%d of %d devices by id", len(byID), len(ds))
	}
	f.eventually(func() string {
		byAddress, err := f.DevicesByAddress(f.Context(), f.tenant, addresses)
		f.must(err)
		for i, a := range addresses {
			if d, ok := byAddress[a]; !ok || d.ID != ids[i] {
				return fmt.Sprintf("%s belongs to %q, want %q", a, d.ID, ids[i])
			}
		}
		return ""
	})
}

func deleteDevice(f *fixture) {
	d := f.device("a")
	d.UserID = "user"
	f.put(d)
	f.must(f.DeleteDevice(f.Context(), f.tenant, "a"))
	f.wantGone("a")
	f.wantHolder(d.Address, "")
	f.wantUser("user")
	f.mustBe(f.DeleteDevice(f.Context(), f.tenant, "a"), push.ErrNotFound)
	d.CreatedAt = epoch().Add(time.Hour)
	f.put(d)
	f.same("registered anew", f.get("a"), d)
}

// listed walks a listing in pages of limit.
func (f *fixture) listed(user string, limit int) []push.Device {
	f.Helper()
	var all []push.Device
	cursor := ""
	for {
		page, next, err := f.Devices(f.Context(), f.tenant, user, cursor, limit)
		f.must(err)
		if len(page) > limit {
			f.Fatalf("limit %d gave %d", limit, len(page))
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		if next == cursor {
			f.Fatal("the cursor stands still")
		}
		cursor = next
	}
}

func list(f *fixture) {
	var want []push.Device
	for i := range 7 {
		want = append(want, f.device(fmt.Sprintf("device-%d", i)))
	}
	shuffled := slices.Clone(want)
	slices.Reverse(shuffled)
	f.put(shuffled...)
	for _, limit := range []int{1, 3, 7, 1000} {
		f.eventually(func() string { return difference(f.listed("", limit), want) })
	}
	f.same("of nobody", f.listed("nobody", 10), []push.Device(nil))
}

func listUser(f *fixture) {
	var want []push.Device
	for i := range 9 {
		d := f.device(fmt.Sprintf("device-%d", i))
		d.UserID = []string{"alice", "alice/2", "ali"}[i%3]
		if i%3 == 0 {
			want = append(want, d)
		}
		f.put(d)
	}
	for _, limit := range []int{1, 2, 1000} {
		f.eventually(func() string { return difference(f.listed("alice", limit), want) })
	}
}

func badCursor(f *fixture) {
	f.put(f.device("a"))
	for _, bad := range []string{"x", "not a cursor", "AAAA", "eyJub3BlIjoxfQ", "%%%", "\x00"} {
		for _, user := range []string{"", "user"} {
			_, _, err := f.Devices(f.Context(), f.tenant, user, bad, 10)
			if err == nil {
				f.Errorf("cursor %q was taken", bad)
				continue
			}
			f.mustBe(err, push.ErrCursor)
		}
	}
}
