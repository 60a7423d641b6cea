package request

import (
	"math"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
)

// MaxRecipientLine bounds one line of an upload, in bytes.
const MaxRecipientLine = 64 << 10

// recipientJSON is one line of an upload.
type recipientJSON struct {
	Token      push.Token        `json:"token"`
	FID        push.Token        `json:"fid"`
	UserID     string            `json:"user_id"`
	DeviceID   push.ID           `json:"device_id"`
	Data       map[string]string `json:"data"`
	Locale     string            `json:"locale"`
	CollapseID string            `json:"collapse_id"`

	Notification struct {
		Title string `json:"title"`
		Body  string `json:"body"`
		Image string `json:"image"`
	} `json:"notification"`
	Badge             *int32 `json:"badge"`
	LiveActivityToken string `json:"live_activity_token"`
}

//nolint:gochecknoglobals // the schema of an upload line; read-only
var recipientFields = map[string]rule{
	"token": addressOf(push.KindToken), "fid": addressOf(push.KindFID), "user_id": userID, "device_id": deviceID,
	"data": stringMap(dataKey), "locale": text, "collapse_id": collapseID,
	"notification": object(map[string]rule{"title": text, "body": text, "image": text}),
	"badge":        integer(0, math.MaxInt32), "live_activity_token": text,
}

// DecodeRecipient reads and checks one line of an upload. The fast paths take
// what nearly every line is: a plain {"token":"…"}, or an object of strings.
// Everything else, and every fault, goes through the walker. Errors are
// [Faults]. The locale is as reported: see [push.Recipient.Normalize].
func DecodeRecipient(line []byte) (push.Recipient, error) {
	if value, ok := plainToken(line); ok {
		if why := push.CheckAddress(push.KindToken, value); why == "" {
			return push.Recipient{Address: push.Address{Kind: push.KindToken, Value: push.Token(value)}}, nil
		}
	}
	if in, ok := scanRecipient(line); ok && in.valid() {
		return in.recipient(), nil
	}
	tree, faults := decodeTree(line)
	if faults != nil {
		return push.Recipient{}, faults
	}
	return recipientOf(tree)
}

// recipientOf checks a line's tree, and reads it.
func recipientOf(tree any) (push.Recipient, error) {
	w := &walker{}
	object(recipientFields)(w, tree)
	if m, ok := tree.(map[string]any); ok {
		checkOneAddress(w, m)
	}
	if len(w.faults) > 0 {
		return push.Recipient{}, w.faults
	}
	var in recipientJSON
	if err := readTree(tree, &in); err != nil {
		return push.Recipient{}, err
	}
	return in.recipient(), nil
}

func (in *recipientJSON) recipient() push.Recipient {
	r := push.Recipient{
		UserID: in.UserID, DeviceID: in.DeviceID, Data: in.Data, Locale: in.Locale, CollapseID: in.CollapseID,
		Override: message.Override{
			Title: in.Notification.Title, Body: in.Notification.Body, Image: in.Notification.Image, Badge: in.Badge,
			LiveActivityToken: in.LiveActivityToken,
		},
	}
	switch {
	case in.Token != "":
		r.Address = push.Address{Kind: push.KindToken, Value: in.Token}
	case in.FID != "":
		r.Address = push.Address{Kind: push.KindFID, Value: in.FID}
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
		w.fault(push.FaultMissing, "must have one of token, fid, user_id or device_id")
	case n > 1:
		w.fault(push.FaultConflict, "must have exactly one of token, fid, user_id or device_id (got %d)", n)
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
