package push

import "maps"

// MaxRecipientLine bounds one line of an upload, in bytes.
const MaxRecipientLine = 64 << 10

// recipientJSON is one line of an upload.
type recipientJSON struct {
	Token      Token             `json:"token"`
	FID        Token             `json:"fid"`
	UserID     string            `json:"user_id"`
	DeviceID   ID                `json:"device_id"`
	Data       map[string]string `json:"data"`
	Locale     string            `json:"locale"`
	CollapseID string            `json:"collapse_id"`
}

//nolint:gochecknoglobals // the schema of an upload line; read-only
var recipientFields = map[string]rule{
	"token": addressOf(KindToken), "fid": addressOf(KindFID), "user_id": userID, "device_id": deviceID,
	"data": stringMap(dataKey), "locale": bounded(maxLocale), "collapse_id": collapseID,
}

// DecodeRecipient reads and checks one line of an upload. The fast paths take
// what nearly every line is: a plain {"token":"…"}, or an object of strings.
// Everything else, and every fault, goes through the walker. Errors are
// [Faults].
func DecodeRecipient(line []byte) (Recipient, error) {
	if value, ok := plainToken(line); ok {
		if why := CheckAddress(KindToken, value); why == "" {
			return Recipient{Address: Address{KindToken, Token(value)}}, nil
		}
	}
	if in, ok := scanRecipient(line); ok && in.flawless() {
		return in.recipient(), nil
	}
	tree, faults := decodeTree(line)
	if faults != nil {
		return Recipient{}, faults
	}
	return recipientOf(tree)
}

// recipientOf checks a line's tree, and reads it.
func recipientOf(tree any) (Recipient, error) {
	w := &walker{}
	object(recipientFields)(w, tree)
	if m, ok := tree.(map[string]any); ok {
		checkOneAddress(w, m)
	}
	if len(w.faults) > 0 {
		return Recipient{}, w.faults
	}
	var in recipientJSON
	if err := readTree(tree, &in); err != nil {
		return Recipient{}, err
	}
	return in.recipient(), nil
}

func (in *recipientJSON) recipient() Recipient {
	r := Recipient{UserID: in.UserID, DeviceID: in.DeviceID, Data: in.Data, Locale: in.Locale, CollapseID: in.CollapseID}
	switch {
	case in.Token != "":
		r.Address = Address{KindToken, in.Token}
	case in.FID != "":
		r.Address = Address{KindFID, in.FID}
	}
	return r
}

func checkOneAddress(w *walker, m map[string]any) {
	n := 0
	for _, k := range []string{"token", "fid", "user_id", "device_id"} {
		if _, ok := m[k]; ok {
			n++
		}
	}
	switch {
	case n == 0:
		w.fault(FaultMissing, "must have one of token, fid, user_id or device_id")
	case n > 1:
		w.fault(FaultConflict, "must have exactly one of token, fid, user_id or device_id (got %d)", n)
	}
}

// plainToken recognises exactly {"token":"…"} with printable ASCII and no
// escapes, the line of nearly every large upload.
func plainToken(line []byte) (string, bool) {
	const open, end = `{"token":"`, `"}`
	if len(line) <= len(open)+len(end) || string(line[:len(open)]) != open || string(line[len(line)-len(end):]) != end {
		return "", false
	}
	value := line[len(open) : len(line)-len(end)]
	for _, c := range value {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return "", false
		}
	}
	return string(value), true
}

// MergeData returns base with over's entries on top; neither is changed.
func MergeData(base, over map[string]string) map[string]string {
	out := make(map[string]string, len(base)+len(over))
	maps.Copy(out, base)
	maps.Copy(out, over)
	return out
}
