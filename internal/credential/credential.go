// Package credential keeps the FCM credential of each app of each tenant: a service-account
// key file, checked when it comes, sealed before it is stored, and opened for whoever sends.
// What it shows of one is whose it is, never the key.
//
// A credential is one document, so that a change is one conditional write. It is sealed with
// AES-256-GCM and bound to its tenant and app: one that is moved to another name does not
// open. The keys that seal are not stored; see [Ring].
//
// The room talks to nobody: what Google says of a credential it learns from its ports.
package credential

import (
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Ref says whose credential it is.
type Ref struct {
	Tenant string
	App    string
}

// RefOf returns the reference of an app; "" is the tenant's default one.
func RefOf(tenant, app string) Ref { return Ref{Tenant: tenant, App: push.AppName(app)} }

// String returns tenant/app, which is the name of the credential's document.
func (r Ref) String() string { return r.Tenant + "/" + r.App }

// valid reports whether both names have the form of one.
func (r Ref) valid() bool { return push.CheckName(r.Tenant) == "" && push.CheckName(r.App) == "" }

// parseRef reads the name of a document.
func parseRef(name string) (Ref, bool) {
	tenant, app, _ := strings.Cut(name, "/")
	r := Ref{Tenant: tenant, App: app}
	return r, r.valid()
}

// State says what is known of a credential. The set is closed.
type State string

// The states.
const (
	Unchecked State = "unchecked" // Google could not be asked when it came
	Valid     State = "valid"     // Google took it, when it came or since
	Invalid   State = "invalid"   // Google refuses it
)

// Credential is what may be shown of one.
type Credential struct {
	Ref
	Serial      string // of this upload; another one has another
	Project     string // Firebase project
	Email       string // of the service account
	KeyID       string // private_key_id, by which Google's console lists the key
	Fingerprint string // of the key: the first 16 hexadecimal digits of its public half's SHA-256
	SealKey     string // id of the key that it is sealed with
	State       State
	Reason      string // of Unchecked and Invalid, in words
	Since       time.Time
	By          string    // who uploaded it, an API key by name
	CheckedAt   time.Time // when State was found out
	Warnings    []string  // of an upload; not stored
	Sealed      string    // why this process cannot open it, in words; not stored
}

// Label names the credential in metrics, logs and events: the project, and the key of it.
// Two apps that have the same key share what is counted and guarded by it.
func (c *Credential) Label() string {
	const digits = 8
	return c.Project + keyMark + c.Fingerprint[:min(digits, len(c.Fingerprint))]
}

// keyMark is between project and key in a label; no project has it in its name.
const keyMark = "#"

// AppsOwn reports whether a label is that of a credential which an app has brought; else it is the installation's own.
func AppsOwn(label string) bool { return strings.Contains(label, keyMark) }

// Account is what a key file says, as [Reader] returns it.
type Account struct {
	Project, Email, KeyID, PrivateKey, TokenURL string

	Repaired bool // its line breaks were damaged and are mended
}

// String keeps the key out of whatever prints an account.
func (a Account) String() string { return "service account of project " + a.Project }

// GoString is String, for %#v.
func (a Account) GoString() string { return a.String() }
