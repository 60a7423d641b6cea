package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/device"
	"github.com/belfry-push/belfry/internal/push"
)

// deviceID returns the id in the path; one that no device can have names none.
func (x *exchange) deviceID() (push.ID, error) {
	id := x.r.PathValue("device_id")
	if push.CheckDeviceID(id) != "" {
		return "", push.ErrNotFound
	}
	return push.ID(id), nil
}

// putDevice takes the id from the path; the body may repeat it.
func (a *api) putDevice(ctx context.Context, x *exchange) (reply, error) {
	id := x.r.PathValue("device_id")
	if why := push.CheckDeviceID(id); why != "" {
		return reply{}, refuse(codeInvalid, "the device id in the path %s", why)
	}
	body, err := x.readBody()
	if err != nil {
		return reply{}, err
	}
	d, err := push.DecodeDevice(body)
	if err != nil {
		return reply{}, err
	}
	if d.ID != "" && d.ID != push.ID(id) {
		return reply{}, push.Faults{{Pointer: "/id", Code: push.FaultConflict, Detail: "must be the id in the path, or absent"}}
	}
	d.ID = push.ID(id)
	return device200(a.cfg.Devices.Put(ctx, x.tenant, d))
}

func (a *api) getDevice(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.deviceID()
	if err != nil {
		return reply{}, err
	}
	return device200(a.cfg.Devices.Get(ctx, x.tenant, id))
}

func (a *api) restoreDevice(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.deviceID()
	if err != nil {
		return reply{}, err
	}
	return device200(a.cfg.Devices.Restore(ctx, x.tenant, id))
}

func (a *api) deleteDevice(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.deviceID()
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, a.cfg.Devices.Delete(ctx, x.tenant, id)
}

func (a *api) listDevices(ctx context.Context, x *exchange) (reply, error) {
	items, next, err := a.cfg.Devices.List(ctx, x.tenant, x.query.text("user_id"), x.query.text("cursor"), int(x.query.integer("limit")))
	if err != nil {
		return reply{}, err
	}
	list := client.DeviceList{Items: make([]client.Device, len(items)), NextCursor: next}
	for i := range items {
		list.Items[i] = deviceView(&items[i])
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (a *api) importDevices(ctx context.Context, x *exchange) (reply, error) {
	body, err := a.stream(x)
	if err != nil {
		return reply{}, err
	}
	defer body.close()
	res, err := a.cfg.Devices.Import(ctx, x.tenant, body)
	if err == nil {
		return reply{status: http.StatusOK, body: importView(&res)}, nil
	}
	if r := body.broken(); r != nil {
		r.detail += fmt.Sprintf("; the import broke off after %d devices: send it again", res.Imported)
		return reply{}, r
	}
	return reply{}, err
}

func importView(res *device.ImportResult) client.ImportResult {
	v := client.ImportResult{Imported: res.Imported, Invalid: res.Invalid}
	for _, f := range res.Faults {
		v.Errors = append(v.Errors, client.LineError{Line: f.Line, Pointer: f.Pointer, Code: f.Code, Detail: f.Detail})
	}
	return v
}

func device200(d push.Device, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: deviceView(&d)}, nil
}

// deviceView reveals the address: whoever may read a device owns it.
func deviceView(d *push.Device) client.Device {
	v := client.Device{
		ID: string(d.ID), Platform: string(d.Platform), UserID: d.UserID, Locale: d.Locale, Timezone: d.Timezone,
		AppVersion: d.AppVersion, Attributes: d.Attributes, State: string(d.State), Source: string(d.Source),
		QuarantinedAt: timeOrNil(d.QuarantinedAt), LastSuccessAt: timeOrNil(d.LastSuccessAt), LastFailureAt: timeOrNil(d.LastFailureAt),
		CreatedAt: timeOrNil(d.CreatedAt), UpdatedAt: timeOrNil(d.UpdatedAt),
	}
	if d.LastFailure != push.CodeOpen {
		v.LastFailure = d.LastFailure.String()
	}
	if d.Address.Kind == push.KindFID {
		v.FID = d.Address.Value.Reveal()
	} else {
		v.Token = d.Address.Value.Reveal()
	}
	return v
}
