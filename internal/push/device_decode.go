package push

import (
	"maps"
	"regexp"
	"slices"
)

// Limits of a device's fields, in bytes but for the first.
const (
	maxAttributes     = 50
	maxAttributeName  = 128
	maxAttributeValue = 512
	maxAppVersion     = 64
	maxLocale         = 35 // RFC 5646 §4.4.1: a buffer that fits every tag in use
	maxTimezone       = 64
)

// deviceJSON is a device as its owner states it.
type deviceJSON struct {
	ID         ID                `json:"id"`
	Token      Token             `json:"token"`
	FID        Token             `json:"fid"`
	Platform   Platform          `json:"platform"`
	UserID     string            `json:"user_id"`
	Locale     string            `json:"locale"`
	Timezone   string            `json:"timezone"`
	AppVersion string            `json:"app_version"`
	Attributes map[string]string `json:"attributes"`
}

//nolint:gochecknoglobals // the schema of a device; read-only
var deviceFields = map[string]rule{
	"id": deviceID, "token": addressOf(KindToken), "fid": addressOf(KindFID),
	"platform":    oneOf(string(PlatformAndroid), string(PlatformIOS), string(PlatformWeb)),
	"user_id":     userID,
	"locale":      formed(maxLocale, localeForm, `a BCP 47 language tag such as "de" or "pt-BR"`),
	"timezone":    formed(maxTimezone, timezoneForm, `an IANA time zone name such as "Europe/Berlin"`),
	"app_version": bounded(maxAppVersion),
	"attributes":  attributes,

	"state":           refuse(FaultReserved, setByServer),
	"source":          refuse(FaultReserved, setByServer),
	"quarantined_at":  refuse(FaultReserved, setByServer),
	"last_success_at": refuse(FaultReserved, setByServer),
	"last_failure_at": refuse(FaultReserved, setByServer),
	"last_failure":    refuse(FaultReserved, setByServer),
	"created_at":      refuse(FaultReserved, setByServer),
	"updated_at":      refuse(FaultReserved, setByServer),
}

const setByServer = "is set by the server: leave it out"

var (
	// RFC 5646 §2.1: subtags of one to eight letters or digits; the first has letters only.
	localeForm = regexp.MustCompile(`^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$`)
	// The tz database's rules for names: parts of letters, digits and ._+-, of
	// which none begins with a hyphen (https://data.iana.org/time-zones/theory.html#naming).
	timezoneForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._+-]*(/[A-Za-z0-9_+][A-Za-z0-9._+-]*)*$`)
)

// DecodeDevice reads and checks one device as its owner states it: the body of
// PUT /v1/devices/{id}, or a line of an import. It has an address of kind token
// or fid, and perhaps an id; tenant, state, source and times are not its
// owner's to say. Errors are [Faults]. Whether a time zone of the right form
// exists is left to the registry.
func DecodeDevice(body []byte) (Device, error) {
	tree, faults := decodeTree(body)
	if faults != nil {
		return Device{}, faults
	}
	w := &walker{}
	object(deviceFields)(w, tree)
	if m, ok := tree.(map[string]any); ok {
		checkDeviceAddress(w, m)
	}
	if len(w.faults) > 0 {
		return Device{}, w.faults
	}
	var in deviceJSON
	if err := readTree(tree, &in); err != nil {
		return Device{}, err
	}
	d := Device{
		ID: in.ID, Address: Address{KindToken, in.Token}, Platform: in.Platform, UserID: in.UserID, Locale: in.Locale,
		Timezone: in.Timezone, AppVersion: in.AppVersion, Attributes: in.Attributes,
	}
	if in.FID != "" {
		d.Address = Address{KindFID, in.FID}
	}
	return d, nil
}

func checkDeviceAddress(w *walker, m map[string]any) {
	_, token := m["token"]
	_, fid := m["fid"]
	switch {
	case token && fid:
		w.fault(FaultConflict, "must have token or fid, not both")
	case !token && !fid:
		w.fault(FaultMissing, "must have token or fid: where to send to")
	}
}

// formed takes a string of a certain form.
func formed(most int, form *regexp.Regexp, want string) rule {
	return func(w *walker, v any) {
		s, ok := v.(string)
		if !ok {
			w.wantType("a string", v)
			return
		}
		if len(s) > most || !form.MatchString(s) {
			w.fault(FaultValue, "must be %s, at most %d bytes (got %q)", want, most, clip(s))
		}
	}
}

func attributes(w *walker, v any) {
	stringMap(nil)(w, v)
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	if len(m) > maxAttributes {
		w.fault(FaultTooLarge, "must have at most %d attributes (got %d)", maxAttributes, len(m))
		return
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		s, _ := m[k].(string)
		w.at(k, func() {
			if k == "" || len(k) > maxAttributeName {
				w.fault(FaultTooLarge, "a name must have 1..%d bytes (got %d)", maxAttributeName, len(k))
			}
			if len(s) > maxAttributeValue {
				w.fault(FaultTooLarge, "a value must have at most %d bytes (got %d)", maxAttributeValue, len(s))
			}
			noNUL(w, k+s)
		})
	}
}
