package push

import (
	"fmt"
	"unicode/utf8"
)

// Bounds are what an operator's pause stops: all that has Tenant, App, Lane and Label in common.
type Bounds struct {
	Tenant string // "" is all tenants
	App    string // "" is all apps
	Lane   Lane   // "" is every lane
	Label  string // as [ParseLabel] reads it; "" is every notification, labelled or not
}

// Cover reports whether what a tenant's app has on a lane, with these labels, is within them.
func (b *Bounds) Cover(tenant, app string, lane Lane, labels map[string]string) bool {
	switch {
	case b.Tenant != "" && b.Tenant != tenant, b.App != "" && b.App != app, b.Lane != "" && b.Lane != lane:
		return false
	case b.Label == "":
		return true
	}
	l := ParseLabel(b.Label)
	return l.In(labels)
}

// MaxReason is how many bytes an operator's reason may have.
const MaxReason = 200

// CheckReason returns what is wrong with the reason that an operator gives in /reason of a request.
func CheckReason(reason string) Faults {
	if len(reason) <= MaxReason && utf8.ValidString(reason) {
		return nil
	}
	return Faults{{Pointer: "/reason", Code: FaultTooLarge, Detail: fmt.Sprintf("may have at most %d bytes of UTF-8", MaxReason)}}
}
