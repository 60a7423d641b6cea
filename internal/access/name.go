package access

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
)

// DefaultName is the name of the tenant that always exists, and of the app that every
// tenant has. BELFRY_API_KEY and BELFRY_FCM_CREDENTIALS stand for this tenant and app.
// Keys of this tenant with [PermPlatform] are the platform operator's.
const DefaultName = "default"

// MaxName is how many characters the name of a tenant, an app or a role may have.
const MaxName = 40

// NameForm says in words what [CheckName] takes.
const NameForm = "1 to 40 of a-z, 0-9 and -, beginning with a letter or digit"

// ValidName reports whether s may name a tenant, an app or a role: [NameForm]. It is part
// of keys of stores, of paths and of metrics, so nothing else is let in.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// checkName returns the fault of a name at a pointer, if it has one.
func checkName(pointer, s string) push.Faults {
	switch {
	case s == "":
		return push.Faults{{Pointer: pointer, Code: push.FaultMissing, Detail: "must be given: " + NameForm}}
	case !ValidName(s):
		return push.Faults{{Pointer: pointer, Code: push.FaultValue, Detail: fmt.Sprintf("must be %s (got %q)", NameForm, shown(s))}}
	}
	return nil
}

// shown cuts what is repeated in an error.
func shown(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
