package request

import (
	"maps"
	"slices"

	"github.com/belfry-push/belfry/internal/push"
)

// MaxAttributes is how many attributes a device has at most.
const MaxAttributes = 50

// Limits of a device's fields, in bytes.
const (
	maxAttributeName  = 128
	maxAttributeValue = 512
	maxAppVersion     = 64
)

// deviceJSON is a device as its owner states it.
type deviceJSON struct {
	ID         push.ID           `json:"id"`
	Token      push.Token        `json:"token"`
	FID        push.Token        `json:"fid"`
	Platform   push.Platform     `json:"platform"`
	UserID     string            `json:"user_id"`
	Locale     string            `json:"locale"`
	Timezone   string            `json:"timezone"`
	AppVersion string            `json:"app_version"`
	Attributes map[string]string `json:"attributes"`
}

//nolint:gochecknoglobals // the schema of a device; read-only
var deviceFields = map[string]rule{
	"id": deviceID, "token": addressOf(push.KindToken), "fid": addressOf(push.KindFID),
	"platform":    oneOf(string(push.PlatformAndroid), string(push.PlatformIOS), string(push.PlatformWeb)),
	"user_id":     userID,
	"locale":      text,
	"timezone":    text,
	"app_version": bounded(maxAppVersion),
	"attributes":  attributes,

	"state":           refuse(push.FaultReserved, setByServer),
	"source":          refuse(push.FaultReserved, setByServer),
	"quarantined_at":  refuse(push.FaultReserved, setByServer),
	"last_success_at": refuse(push.FaultReserved, setByServer),
	"last_failure_at": refuse(push.FaultReserved, setByServer),
	"last_failure":    refuse(push.FaultReserved, setByServer),
	"created_at":      refuse(push.FaultReserved, setByServer),
	"updated_at":      refuse(push.FaultReserved, setByServer),
	"warnings":        refuse(push.FaultReserved, setByServer),
	"moved_from":      refuse(push.FaultReserved, setByServer),
}

const setByServer = "is set by the server: leave it out"

// DecodeDevice reads and checks one device as its owner states it: the body of
// PUT /v1/devices/{id}, or a line of an import. It has an address of kind token
// or fid, and perhaps an id; tenant, state, source and times are not its
// owner's to say. Locale and time zone are as reported: see [push.Device.Normalize].
// Errors are [Faults].
func DecodeDevice(body []byte) (push.Device, error) {
	tree, faults := decodeTree(body)
	if faults != nil {
		return push.Device{}, faults
	}
	w := &walker{}
	object(deviceFields)(w, tree)
	if m, ok := tree.(map[string]any); ok {
		checkDeviceAddress(w, m)
	}
	if len(w.faults) > 0 {
		return push.Device{}, w.faults
	}
	var in deviceJSON
	if err := readTree(tree, &in); err != nil {
		return push.Device{}, err
	}
	d := push.Device{
		ID: in.ID, Address: push.Address{Kind: push.KindToken, Value: in.Token}, Platform: in.Platform, UserID: in.UserID, Locale: in.Locale,
		Timezone: in.Timezone, AppVersion: in.AppVersion, Attributes: in.Attributes,
	}
	if in.FID != "" {
		d.Address = push.Address{Kind: push.KindFID, Value: in.FID}
	}
	return d, nil
}

func checkDeviceAddress(w *walker, m map[string]any) {
	_, token := m["token"]
	_, fid := m["fid"]
	switch {
	case token && fid:
		w.fault(push.FaultConflict, "must have token or fid, not both")
	case !token && !fid:
		w.fault(push.FaultMissing, "must have token or fid: where to send to")
	}
}

func attributes(w *walker, v any) {
	stringMap(nil)(w, v)
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	if len(m) > MaxAttributes {
		w.fault(push.FaultTooLarge, "must have at most %d attributes (got %d)", MaxAttributes, len(m))
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s, _ := m[k].(string)
		w.at(k, func() {
			if k == "" || len(k) > maxAttributeName {
				w.fault(push.FaultTooLarge, "a name must have 1..%d bytes (got %d)", maxAttributeName, len(k))
			}
			if len(s) > maxAttributeValue {
				w.fault(push.FaultTooLarge, "a value must have at most %d bytes (got %d)", maxAttributeValue, len(s))
			}
			noNUL(w, k+s)
		})
	}
}
