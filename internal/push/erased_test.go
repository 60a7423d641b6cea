package push

import (
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/message"
)

// TestEraseKeepsThePlace: what is left of a recipient says neither who it was nor what it was to
// get, and takes as many bytes where chunks are cut by them.
func TestEraseKeepsThePlace(t *testing.T) {
	t.Parallel()
	const request = ID("prv_01890a5d-ac96-774b-bcce-b302099a8057")
	token := Token(strings.Repeat("x", 163))
	for name, r := range map[string]Recipient{
		"address": {Address: Address{KindToken, token}, Line: 7, DuplicateOf: 3},
		"all": {
			Address: Address{KindFID, token}, UserID: "alice", DeviceID: "phone", Line: 7, DuplicateOf: 3, Data: map[string]string{"name": "Alice"},
			Locale: "de", CollapseID: "alice", Override: message.Override{Title: "Hi Alice"}, Renew: true, Unknown: true,
		},
		"user": {UserID: "alice", Line: 7, DuplicateOf: 3},
	} {
		before := r
		r.Erase(request)
		want := Recipient{Address: r.Address, UserID: r.UserID, Line: 7, DuplicateOf: 3}
		if !sameRecipient(r, want) || !r.Erased() || !r.ErasedBy(request) || r.ErasedBy("prv_another") {
			t.Errorf("%s: %+v", name, r)
		}
		if r.Address.Kind != before.Address.Kind || len(r.Address.Value) != len(before.Address.Value) {
			t.Errorf("%s: the address has %d bytes of kind %q", name, len(r.Address.Value), r.Address.Kind)
		}
		if r.UserID == "alice" || !before.Address.IsZero() && r.UserID != "" {
			t.Errorf("%s: the user is %q", name, r.UserID)
		}
		if why := CheckAddress(KindToken, string(r.Address.Value)); why != "" && !r.Address.IsZero() {
			t.Errorf("%s: the mark %s", name, why)
		}
	}
	if IsErased("erased") || IsErased(string(token)) || (&Recipient{UserID: "u"}).Erased() {
		t.Error("somebody is erased who is not")
	}
}

func sameRecipient(a, b Recipient) bool {
	return a.Address == b.Address && a.UserID == b.UserID && a.DeviceID == b.DeviceID && a.Line == b.Line && a.DuplicateOf == b.DuplicateOf &&
		a.Data == nil && a.Locale == b.Locale && a.CollapseID == b.CollapseID && a.Override.IsZero() &&
		a.Renew == b.Renew && a.Unknown == b.Unknown
}
