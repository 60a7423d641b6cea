package devicetest

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

func change(f *fixture) {
	d := f.device("a")
	d.UserID, d.Locale, d.Attributes = "alice", "de", map[string]string{"plan": "gold"}
	f.put(d)
	sent := epoch().Add(time.Minute)
	_, err := f.NoteDevices(f.Context(), f.tenant, []push.DeviceNote{{Address: d.Address, Code: push.CodeSent, At: sent, SentAt: sent}})
	f.must(err)
	got, err := f.ChangeDevice(f.Context(), f.tenant, "a", func(d *push.Device) error {
		d.Locale, d.State, d.QuarantinedAt = "de-AT", push.DeviceQuarantined, sent
		return nil
	})
	f.must(err)
	d.Locale, d.State, d.QuarantinedAt, d.LastSuccessAt = "de-AT", push.DeviceQuarantined, sent, sent
	f.same("what ChangeDevice returns", got, d)
	f.same("what is stored", f.get("a"), d)
	reach, err := f.ReachByAddress(f.Context(), f.tenant, []push.Address{d.Address})
	f.must(err)
	f.same("sendable", reach[d.Address].Sendable, false)

	for _, other := range []struct{ tenant, id string }{{f.tenant, "nobody"}, {f.tenant + "-other", "a"}} {
		_, err = f.ChangeDevice(f.Context(), other.tenant, push.ID(other.id), func(*push.Device) error { return nil })
		f.mustBe(err, push.ErrNotFound)
	}
}

func changeUser(f *fixture) {
	d := f.device("a")
	d.UserID = "alice"
	f.put(d)
	for _, user := range []string{"bob", "", "alice"} {
		_, err := f.ChangeDevice(f.Context(), f.tenant, "a", func(d *push.Device) error { d.UserID = user; return nil })
		f.must(err)
		found, err := f.DevicesByUser(f.Context(), f.tenant, []string{"alice", "bob"})
		f.must(err)
		for _, u := range []string{"alice", "bob"} {
			want := 0
			if u == user {
				want = 1
			}
			f.same(fmt.Sprintf("devices of %s when it is %q's", u, user), len(found[u]), want)
		}
		f.wantHolder(d.Address, "a")
	}
}

func changeFails(f *fixture) {
	d := f.device("a")
	f.put(d)
	refused := errors.New("refused")
	_, err := f.ChangeDevice(f.Context(), f.tenant, "a", func(d *push.Device) error { d.Locale = "de"; return refused })
	f.mustBe(err, refused)
	f.same("what is stored", f.get("a"), d)
}

func changeConcurrently(f *fixture) {
	const callers = 6
	f.put(f.device("a"))
	together(callers, func(i int) {
		_, err := f.ChangeDevice(f.Context(), f.tenant, "a", func(d *push.Device) error {
			if d.Attributes == nil {
				d.Attributes = map[string]string{}
			}
			d.Attributes[strconv.Itoa(i)] = "set"
			return nil
		})
		if err != nil {
			f.Error(err)
		}
	})
	f.same("attributes set", len(f.get("a").Attributes), callers)
}
