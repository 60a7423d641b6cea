package device_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

// known is a device with something in every field that a patch may touch.
func known() push.Device {
	d := at("a", "old")
	d.Platform, d.UserID, d.Locale, d.Timezone, d.AppVersion = push.PlatformIOS, "u", "de", "UTC", "1.0"
	d.Attributes = map[string]string{"plan": "gold", "trial": "yes"}
	d.State, d.QuarantinedAt, d.Source = push.DeviceQuarantined, created, push.SourceSend
	d.LastSuccessAt, d.LastFailureAt, d.LastFailure = created, created, push.CodeFCMUnregistered
	return d
}

func TestPatch(t *testing.T) {
	t.Parallel()
	later := created.AddDate(1, 0, 0)
	for body, change := range map[string]func(d *push.Device){
		`{}`:                            func(*push.Device) {},
		`{"user_id":"v"}`:               func(d *push.Device) { d.UserID = "v" },
		`{"user_id":null}`:              func(d *push.Device) { d.UserID = "" },
		`{"user_id":""}`:                func(d *push.Device) { d.UserID = "" },
		`{"locale":"pt_br"}`:            func(d *push.Device) { d.Locale = "pt-BR" },
		`{"timezone":null,"locale":""}`: func(d *push.Device) { d.Timezone, d.Locale = "", "" },
		`{"platform":null}`:             func(d *push.Device) { d.Platform = "" },
		`{"platform":"web"}`:            func(d *push.Device) { d.Platform = push.PlatformWeb },
		`{"app_version":"2"}`:           func(d *push.Device) { d.AppVersion = "2" },
		`{"attributes":{"trial":null}}`: func(d *push.Device) { d.Attributes = map[string]string{"plan": "gold"} },
		`{"attributes":{"other":null}}`: func(*push.Device) {},
		`{"attributes":{"plan":"","x":"y"}}`: func(d *push.Device) {
			d.Attributes = map[string]string{"plan": "", "trial": "yes", "x": "y"}
		},
		`{"attributes":null}`:      func(d *push.Device) { d.Attributes = nil },
		`{"state":"quarantined"}`:  func(*push.Device) {}, // it is: since when does not change
		`{"state":"active"}`:       func(d *push.Device) { d.State, d.QuarantinedAt = push.DeviceActive, created.AddDate(-2019, 0, 0) },
		`{"token":"old"}`:          func(*push.Device) {},
		`{"token":"new"}`:          moveTo(push.KindToken, "new"),
		`{"fid":"f"}`:              moveTo(push.KindFID, "f"),
		`{"token":null,"fid":"f"}`: moveTo(push.KindFID, "f"),
		`{"token":"new","state":"quarantined"}`: func(d *push.Device) {
			d.Address.Value, d.QuarantinedAt = "new", later
		},
	} {
		r, s := setup(known())
		p, err := request.DecodeDevicePatch([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		want := known()
		want.Source, want.UpdatedAt = push.SourceAPI, later
		change(&want)
		if want.State == push.DeviceActive {
			want.QuarantinedAt = at("a", "").QuarantinedAt
		}
		got, err := r.Patch(t.Context(), tenant, "a", p)
		if d := cmp.Diff(device.Stored{Device: want}, got); d != "" || err != nil {
			t.Errorf("%s: %v: %s", body, err, d)
		}
		if d := cmp.Diff(want, s.stored("a")); d != "" {
			t.Errorf("%s: stored: %s", body, d)
		}
	}
}

func moveTo(kind push.Kind, value push.Token) func(d *push.Device) {
	return func(d *push.Device) { d.Address, d.State = push.Address{Kind: kind, Value: value}, push.DeviceActive }
}

func TestPatchWarnsOfWhatItGives(t *testing.T) {
	t.Parallel()
	for _, token := range []*push.Address{nil, {Kind: push.KindToken, Value: "new"}} {
		r, _ := setup(known())
		got, err := r.Patch(t.Context(), tenant, "a", push.DevicePatch{Timezone: new("CEST"), Address: token})
		if err != nil || len(got.Warnings) != 1 || got.Warnings[0].Pointer != "/timezone" || got.Device.Timezone != "" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestPatchRefuses(t *testing.T) {
	t.Parallel()
	full := known()
	full.Attributes = map[string]string{}
	for i := range request.MaxAttributes {
		full.Attributes[strconv.Itoa(i)] = ""
	}
	for _, address := range []*push.Address{nil, {Kind: push.KindToken, Value: "new"}} {
		r, s := setup(full)
		_, err := r.Patch(t.Context(), tenant, "a", push.DevicePatch{Address: address, Attributes: map[string]*string{"more": new("")}})
		faults, ok := errors.AsType[push.Faults](err)
		if !ok || faults[0].Pointer != "/attributes" || len(s.stored("a").Attributes) != request.MaxAttributes {
			t.Errorf("got %v", err)
		}
		if _, err := r.Patch(t.Context(), tenant, "b", push.DevicePatch{Address: address}); !errors.Is(err, push.ErrNotFound) {
			t.Errorf("of a device that is not there: %v", err)
		}
	}
}

func TestMovedFrom(t *testing.T) {
	t.Parallel()
	r, s := setup(at("a", "x"), at("b", "y"))
	if got, err := r.Put(t.Context(), tenant, at("a", "x")); err != nil || got.MovedFrom != "" {
		t.Errorf("a renewal moves nothing: %+v, %v", got, err)
	}
	if got, err := r.Put(t.Context(), tenant, at("c", "x")); err != nil || got.MovedFrom != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err := r.Patch(t.Context(), tenant, "c", push.DevicePatch{Address: &push.Address{Kind: push.KindToken, Value: "y"}})
	if err != nil || got.MovedFrom != "b" || s.count() != 1 {
		t.Errorf("got %+v, %v, %d devices", got, err, s.count())
	}
}
