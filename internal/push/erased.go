package push

import (
	"strings"

	"github.com/belfry-push/belfry/internal/message"
)

// erasedPrefix is what the mark of an erased value begins with. No registration token has
// such characters in such a place, and a caller that sends to one reaches nobody.
const erasedPrefix = "erased:" + PrefixPrivacy + "_"

// ErasedMark returns what stands in place of an address, user or device id that a privacy
// request erased.
func ErasedMark(request ID) string { return "erased:" + string(request) }

// IsErased reports whether a value is the mark of an erased one.
func IsErased(value string) bool { return strings.HasPrefix(value, erasedPrefix) }

// ErasedBy reports whether a value was erased by that request.
func ErasedBy(value string, request ID) bool { return strings.HasPrefix(value, ErasedMark(request)) }

// Erased reports whether the recipient was erased where it stands.
func (r *Recipient) Erased() bool { return IsErased(string(r.Address.Value)) || IsErased(r.UserID) }

// ErasedBy reports whether that request erased the recipient where it stands.
func (r *Recipient) ErasedBy(request ID) bool {
	return ErasedBy(string(r.Address.Value), request) || ErasedBy(r.UserID, request)
}

// Erase replaces whom the recipient is by a mark of the request, and removes what it was to be
// sent. What says where it stands (its upload line, and of which it is a duplicate) stays, so
// that counts and cells keep their places. The mark is filled up to the length of the address,
// because recipients that are not planned yet are cut into chunks by their bytes.
func (r *Recipient) Erase(request ID) {
	mark := ErasedMark(request)
	if r.Address.IsZero() {
		r.UserID = mark
	} else {
		r.Address.Value = Token(mark + strings.Repeat(".", max(0, len(r.Address.Value)-len(mark))))
		r.UserID = ""
	}
	r.DeviceID, r.Data, r.Locale, r.CollapseID, r.Override = "", nil, "", "", message.Override{}
	r.Renew, r.Unknown = false, false
}
