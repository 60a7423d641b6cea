package message

import (
	"fmt"
	"slices"
	"time"
)

// placeholder is as long as a notification's id.
const placeholder = "ntf_00000000-0000-0000-0000-000000000000"

// CheckSize returns what is too large of a checked message as it will go out,
// with pointers that begin with the steps at: some platform would get more than
// limit bytes, see [Sizes]. d is what the notification adds; its ID need not be
// known yet.
func CheckSize(m map[string]any, d Delivery, limit int, at ...string) []Fault {
	if d.ID == "" {
		d.ID = placeholder
	}
	whole, _ := Complete(m, d, time.Time{})
	platform, n := Measure(whole).Largest()
	if n <= limit {
		return nil
	}
	path := slices.Clone(at)
	if len(child(m, platform)) > 0 {
		path = append(path, platform)
	}
	return []Fault{{Pointer: pointer(path), Code: codeTooLarge, Detail: TooLarge(platform, n, limit)}}
}

// TooLarge says that a platform would get too many bytes.
func TooLarge(platform string, n, limit int) string {
	names := map[string]string{"android": "an Android device", "apns": "an Apple device", "webpush": "a browser"}
	return fmt.Sprintf("must be at most %d bytes of data and notification together (%s would get %d, ids included)", limit, names[platform], n)
}
