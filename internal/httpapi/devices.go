package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

// devices serve the registry.
type devices struct{ registry Devices }

// deviceID returns the id in the path, or push.ErrNotFound if no device can have it.
func deviceID(x *door.Exchange) (push.ID, error) {
	id := x.Request.PathValue("device_id")
	if push.CheckDeviceID(id) != "" {
		return "", push.ErrNotFound
	}
	return push.ID(id), nil
}

// putDevice takes the id from the path; the body may repeat it.
func (d *devices) putDevice(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id := x.Request.PathValue("device_id")
	if why := push.CheckDeviceID(id); why != "" {
		return door.Reply{}, door.Refuse(door.CodeInvalid, "the device id in the path %s", why)
	}
	body, err := x.ReadBody()
	if err != nil {
		return door.Reply{}, err
	}
	given, err := request.DecodeDevice(body)
	if err != nil {
		return door.Reply{}, err
	}
	if given.ID != "" && given.ID != push.ID(id) {
		return door.Reply{}, push.Faults{{Pointer: "/id", Code: push.FaultConflict, Detail: "must be the id in the path, or absent"}}
	}
	given.ID = push.ID(id)
	return stored200(d.registry.Put(ctx, x.Tenant, given))
}

func (d *devices) patchDevice(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := deviceID(x)
	if err != nil {
		return door.Reply{}, err
	}
	body, err := x.ReadBody()
	if err != nil {
		return door.Reply{}, err
	}
	given, err := request.DecodeDevicePatch(body)
	if err != nil {
		return door.Reply{}, err
	}
	return stored200(d.registry.Patch(ctx, x.Tenant, id, given))
}

// stored200 answers with a registration as it has been stored.
func stored200(s device.Stored, err error) (door.Reply, error) {
	if err != nil {
		return door.Reply{}, err
	}
	view := deviceView(&s.Device)
	view.Warnings, view.MovedFrom = warningsView(s.Warnings), string(s.MovedFrom)
	return door.Reply{Status: http.StatusOK, Body: view}, nil
}

func (d *devices) getDevice(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := deviceID(x)
	if err != nil {
		return door.Reply{}, err
	}
	return device200(d.registry.Get(ctx, x.Tenant, id))
}

func (d *devices) restoreDevice(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := deviceID(x)
	if err != nil {
		return door.Reply{}, err
	}
	return device200(d.registry.Restore(ctx, x.Tenant, id))
}

func (d *devices) deleteDevice(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := deviceID(x)
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusNoContent}, d.registry.Delete(ctx, x.Tenant, id)
}

func (d *devices) listDevices(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	items, next, err := d.registry.List(ctx, x.Tenant, x.Query.Text("user_id"), x.Query.Text("cursor"), int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	list := client.DeviceList{Items: make([]client.Device, len(items)), NextCursor: next}
	for i := range items {
		list.Items[i] = deviceView(&items[i])
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

func (d *devices) importDevices(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	body, err := x.Stream()
	if err != nil {
		return door.Reply{}, err
	}
	defer body.Close()
	res, err := d.registry.Import(ctx, x.Tenant, body)
	if err == nil {
		return door.Reply{Status: http.StatusOK, Body: importView(&res)}, nil
	}
	if r := body.Broken(); r != nil {
		r.Detail += fmt.Sprintf("; the import broke off after %d devices: send it again", res.Imported)
		return door.Reply{}, r
	}
	return door.Reply{}, err
}

func importView(res *device.ImportResult) client.ImportResult {
	v := client.ImportResult{Imported: res.Imported, Invalid: res.Invalid, Warned: res.Warned}
	for _, f := range res.Faults {
		v.Errors = append(v.Errors, lineView(f.Line, f.Fault))
	}
	for _, f := range res.Warnings {
		v.Warnings = append(v.Warnings, lineView(f.Line, f.Fault))
	}
	return v
}

func device200(d push.Device, err error) (door.Reply, error) {
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: deviceView(&d)}, nil
}

// deviceView reveals the address: only the owner may read a device.
func deviceView(d *push.Device) client.Device {
	v := client.Device{
		ID: string(d.ID), Platform: client.Platform(d.Platform), UserID: d.UserID, Locale: d.Locale, Timezone: d.Timezone,
		AppVersion: d.AppVersion, Attributes: d.Attributes, State: client.DeviceState(d.State), Source: string(d.Source),
		QuarantinedAt: views.Time(d.QuarantinedAt), LastSuccessAt: views.Time(d.LastSuccessAt), LastFailureAt: views.Time(d.LastFailureAt),
		CreatedAt: views.Time(d.CreatedAt), UpdatedAt: views.Time(d.UpdatedAt),
	}
	if d.LastFailure != push.CodeOpen {
		v.LastFailure = client.Code(d.LastFailure.String())
	}
	if d.Address.Kind == push.KindFID {
		v.FID = d.Address.Value.Reveal()
	} else {
		v.Token = d.Address.Value.Reveal()
	}
	return v
}

func warningsView(faults push.Faults) []client.Warning {
	var out []client.Warning
	for _, f := range faults {
		out = append(out, client.Warning{Pointer: f.Pointer, Code: f.Code, Detail: f.Detail})
	}
	return out
}

func (d *devices) routes() []*door.Route {
	const group, one = groupDevices, "/v1/devices/{device_id}"
	view := reflect.TypeFor[client.Device]()
	return []*door.Route{
		{
			Method: http.MethodPut, Path: one, Name: "putDevice", Needs: access.PermWriteDevices, Group: group,
			About: "Register a device, or replace all of its registration.",
			Takes: []string{door.TypeJSON}, Body: view, Sample: describe.SampleRegistration(), Gives: door.OK(view),
			Run: door.Replying(d.putDevice),
		},
		{
			Method: http.MethodPatch, Path: one, Name: "patchDevice", Needs: access.PermWriteDevices, Group: group,
			About: "Change a part of a device's registration.",
			Detail: "A JSON merge patch (RFC 7396): what is left out stays as it is, null or an empty text removes it. `attributes` are " +
				"changed by name. A token or fid is the new address in place of the old one. Patches of different fields that meet do not " +
				"undo each other. `moved_from` names the device that had the address before, and is removed.",
			Takes: []string{door.TypeJSON, door.TypeMergePatch}, Body: reflect.TypeFor[client.DevicePatch](), Sample: describe.SamplePatch(),
			Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(d.patchDevice),
		},
		{
			Method: http.MethodGet, Path: one, Name: "getDevice", Needs: access.PermReadDevices, Group: group, Audit: door.AuditRead,
			About: "Show a device.", Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(d.getDevice),
		},
		{
			Method: http.MethodDelete, Path: one, Name: "deleteDevice", Needs: access.PermWriteDevices, Group: group,
			About: "Remove a device.",
			Gives: []door.Given{{Status: http.StatusNoContent, About: "Removed."}}, Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(d.deleteDevice),
		},
		{
			Method: http.MethodGet, Path: "/v1/devices", Name: "listDevices", Needs: access.PermReadDevices, Group: group, Audit: door.AuditRead,
			About:  "List devices, all or one user's.",
			Params: append(door.PageParams(), door.Param{Name: "user_id", About: "Only this user's devices.", High: door.MaxText}),
			Gives:  door.OK(reflect.TypeFor[client.DeviceList]()),
			Run:    door.Replying(d.listDevices),
		},
		{
			Method: http.MethodPost, Path: "/v1/devices/import", Name: "importDevices", Needs: access.PermWriteDevices, Group: group,
			About: "Register many devices, one JSON object a line, any number of lines.",
			Detail: "A line without an `id` is about the device at its address. Importing the same lines again changes nothing. An " +
				"Idempotency-Key " +
				"gets the first answer again; the body of a repeat is not read, so it cannot be told apart from another.",
			Once: door.KeyByStore, Takes: door.NDJSONTypes(), Body: view, Sample: describe.SampleRegistration(),
			Gives: door.OK(reflect.TypeFor[client.ImportResult]()),
			Run:   door.Unhurried(door.Once(idempotency.Lease, d.importDevices)),
		},
		{
			Method: http.MethodPost, Path: one + "/restore", Name: "restoreDevice", Needs: access.PermWriteDevices, Group: group,
			About: "Take a device out of quarantine.",
			Once:  door.KeyByStore, Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(door.Once(idempotency.Lease, d.restoreDevice)),
		},
	}
}
