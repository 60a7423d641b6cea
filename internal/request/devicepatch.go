package request

import (
	"maps"

	"github.com/belfry-push/belfry/internal/push"
)

// devicePatchFields is deviceFields with the state, which an owner may change, and
// without the rules that a removal would break: null and "" are taken out before.
//
//nolint:gochecknoglobals // the schema of a patch; read-only
var devicePatchFields = func() map[string]rule {
	fields := maps.Clone(deviceFields)
	fields["id"] = refuse(push.FaultReserved, "is the id in the path: a device keeps its id")
	fields["state"] = oneOf(string(push.DeviceActive), string(push.DeviceQuarantined))
	fields["attributes"] = attributes
	return fields
}()

// devicePatchJSON is a patch without what it removes.
type devicePatchJSON struct {
	Token      push.Token         `json:"token"`
	FID        push.Token         `json:"fid"`
	Platform   *push.Platform     `json:"platform"`
	UserID     *string            `json:"user_id"`
	Locale     *string            `json:"locale"`
	Timezone   *string            `json:"timezone"`
	AppVersion *string            `json:"app_version"`
	Attributes map[string]*string `json:"attributes"`
	State      *push.DeviceState  `json:"state"`
}

// DecodeDevicePatch reads and checks the body of PATCH /v1/devices/{id}, a JSON merge
// patch (RFC 7396): what it leaves out stays, null removes. An empty text removes too,
// because clients that have no null send that; but an attribute may be empty. A token
// or fid is the new address in place of the old one of either kind; it cannot be
// removed. Errors are [Faults].
func DecodeDevicePatch(body []byte) (push.DevicePatch, error) {
	tree, faults := decodeTree(body)
	if faults != nil {
		return push.DevicePatch{}, faults
	}
	w := &walker{}
	removed := takeRemoved(w, tree)
	object(devicePatchFields)(w, tree)
	if m, ok := tree.(map[string]any); ok {
		checkPatchAddress(w, m, removed)
	}
	if len(w.faults) > 0 {
		return push.DevicePatch{}, w.faults
	}
	var in devicePatchJSON
	if err := readTree(tree, &in); err != nil {
		return push.DevicePatch{}, err
	}
	return removed.patch(&in), nil
}

// removal is what a patch removes: fields of the device, and attributes by name.
type removal struct {
	fields     map[string]bool
	attributes []string
}

// takeRemoved takes what is removed out of the tree.
func takeRemoved(w *walker, tree any) removal {
	r := removal{fields: map[string]bool{}}
	m, ok := tree.(map[string]any)
	if !ok {
		return r // which the rules refuse
	}
	if state, given := m["state"]; given && (state == nil || state == "") {
		w.at("state", func() { w.fault(push.FaultValue, "must be active or quarantined: a device has a state") })
		delete(m, "state")
	}
	for _, name := range []string{"token", "fid", "platform", "user_id", "locale", "timezone", "app_version", "attributes"} {
		v, given := m[name]
		plain := name != "token" && name != "fid" && name != "attributes" // "" removes these, too
		if given && v == nil || plain && v == "" {
			r.fields[name] = true
			delete(m, name)
		}
	}
	named, _ := m["attributes"].(map[string]any)
	for _, name := range sortedKeys(named) {
		if named[name] == nil {
			r.attributes = append(r.attributes, name)
			delete(named, name)
		}
	}
	return r
}

// checkPatchAddress refuses two addresses, and none in place of one.
func checkPatchAddress(w *walker, m map[string]any, removed removal) {
	_, token := m["token"]
	_, fid := m["fid"]
	switch {
	case token && fid:
		w.fault(push.FaultConflict, "must have token or fid, not both")
	case !token && !fid && (removed.fields["token"] || removed.fields["fid"]):
		w.fault(push.FaultMissing, "must keep a token or fid: where to send to. DELETE removes the device")
	}
}

func (r removal) patch(in *devicePatchJSON) push.DevicePatch {
	p := push.DevicePatch{
		Platform: in.Platform, UserID: in.UserID, Locale: in.Locale, Timezone: in.Timezone, AppVersion: in.AppVersion,
		Attributes: in.Attributes, AllAttributes: r.fields["attributes"], State: in.State,
	}
	switch {
	case in.Token != "":
		p.Address = &push.Address{Kind: push.KindToken, Value: in.Token}
	case in.FID != "":
		p.Address = &push.Address{Kind: push.KindFID, Value: in.FID}
	}
	for name, field := range map[string]**string{
		"user_id": &p.UserID, "locale": &p.Locale, "timezone": &p.Timezone, "app_version": &p.AppVersion,
	} {
		if r.fields[name] {
			*field = new("")
		}
	}
	if r.fields["platform"] {
		p.Platform = new(push.Platform(""))
	}
	if len(r.attributes) > 0 && p.Attributes == nil {
		p.Attributes = map[string]*string{}
	}
	for _, name := range r.attributes {
		p.Attributes[name] = nil
	}
	return p
}
