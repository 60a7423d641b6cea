package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
)

func devicePath(id string) string { return "/v1/devices/" + url.PathEscape(id) }

// PutDevice registers a device or replaces its registration: d is the full
// state, what it leaves out is removed. The address moves to this id if another
// device had it.
func (c *Client) PutDevice(ctx context.Context, id string, d Device) (Device, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return Device{}, fmt.Errorf("encode device %s: %w", id, err)
	}
	var out Device
	err = c.do(ctx, call{method: http.MethodPut, path: devicePath(id), body: body, timeout: attemptTimeout}, &out)
	return out, err
}

// PatchDevice changes what d gives of a registration, and leaves the rest as it is.
// One that is not there is a [*Problem] with status 404. The answer's MovedFrom is
// the device that had the address before; a repeat does not know it any more.
func (c *Client) PatchDevice(ctx context.Context, id string, d DevicePatch) (Device, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return Device{}, fmt.Errorf("encode the patch of device %s: %w", id, err)
	}
	var out Device
	err = c.do(ctx, call{method: http.MethodPatch, path: devicePath(id), body: body, timeout: attemptTimeout}, &out)
	return out, err
}

// Device returns a registration.
func (c *Client) Device(ctx context.Context, id string) (Device, error) {
	var d Device
	err := c.do(ctx, get(devicePath(id), nil), &d)
	return d, err
}

// DeleteDevice removes a registration. One that is not there is a [*Problem]
// with status 404; after a repeat that may mean that the first attempt did it.
func (c *Client) DeleteDevice(ctx context.Context, id string) error {
	return c.do(ctx, del(devicePath(id)), nil)
}

// Devices returns the registrations of a user, or of everybody when userID is
// empty, page by page. An error is the last pair.
func (c *Client) Devices(ctx context.Context, userID string) iter.Seq2[Device, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]Device, string, error) {
		q := url.Values{}
		if userID != "" {
			q.Set("user_id", userID)
		}
		return list[Device](ctx, c, "/v1/devices", limited(q, largestPage), cursor)
	})
}

// ImportDevices streams NDJSON registrations, one [Device] with its id a line,
// sent once. Repeating an import changes nothing but the time of update.
func (c *Client) ImportDevices(ctx context.Context, r io.Reader) (ImportResult, error) {
	var res ImportResult
	err := c.do(ctx, call{
		method: http.MethodPost, path: "/v1/devices/import", stream: r, contentType: typeNDJSON,
	}, &res)
	return res, err
}

// RestoreDevice takes a device out of quarantine.
func (c *Client) RestoreDevice(ctx context.Context, id string) (Device, error) {
	cl, err := post(devicePath(id)+"/restore", nil)
	if err != nil {
		return Device{}, err
	}
	var d Device
	err = c.do(ctx, cl, &d)
	return d, err
}
