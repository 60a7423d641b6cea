package pause

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/push"
)

// Scope is what a pause stops.
type Scope string

// The scopes. The set is closed.
const (
	ScopeEverything Scope = "everything"
	ScopeTenant     Scope = "tenant"
	ScopeApp        Scope = "app"
)

// Pause is one pause.
type Pause struct {
	ID     push.ID   `json:"id"`
	Tenant string    `json:"tenant,omitempty"` // "" is everything
	App    string    `json:"app,omitempty"`    // "" is all of the tenant
	Reason string    `json:"reason,omitempty"` // for people
	By     string    `json:"by"`               // who asked for it
	Since  time.Time `json:"since"`
	// Operator says that the platform's operator asked for it: the tenant may not lift it.
	Operator bool `json:"operator,omitempty"`
}

// Scope returns what it stops.
func (p *Pause) Scope() Scope {
	switch {
	case p.Tenant == "":
		return ScopeEverything
	case p.App == "":
		return ScopeTenant
	}
	return ScopeApp
}

// Covers reports whether it stops an app of a tenant; the app "" is the tenant's default one.
func (p *Pause) Covers(tenant, app string) bool {
	if app == "" {
		app = access.DefaultName
	}
	return p.Tenant == "" || p.Tenant == tenant && (p.App == "" || p.App == app)
}

// What it says in words: everything, tenant acme, app acme/shop.
func (p *Pause) What() string {
	switch p.Scope() {
	case ScopeTenant:
		return "tenant " + p.Tenant
	case ScopeApp:
		return "app " + p.Tenant + "/" + p.App
	case ScopeEverything:
	}
	return "everything"
}

// Text says it to people: everything is paused since 12:56:34 UTC by ops: FCM credential leaked.
func (p *Pause) Text() string {
	s := fmt.Sprintf("%s is paused since %s by %s", p.What(), p.Since.UTC().Format("2006-01-02 15:04:05 UTC"), p.By)
	if p.Reason != "" {
		s += ": " + p.Reason
	}
	return s
}

const (
	maxReason = 200   // bytes
	maxPauses = 1_000 // a document has 256 KiB
)

// check returns what is wrong with a pause that somebody asks for, with pointers into the request.
func (p *Pause) check() push.Faults {
	var faults push.Faults
	fault := func(pointer, code, detail string) {
		faults = append(faults, push.Fault{Pointer: pointer, Code: code, Detail: detail})
	}
	if p.Tenant != "" && !access.ValidName(p.Tenant) {
		fault("/tenant", push.FaultValue, "is no tenant's name")
	}
	if p.App != "" && !access.ValidName(p.App) {
		fault("/app", push.FaultValue, "is no app's name")
	}
	if p.App != "" && p.Tenant == "" {
		fault("/tenant", push.FaultMissing, "an app is one of a tenant")
	}
	if len(p.Reason) > maxReason || !utf8.ValidString(p.Reason) {
		fault("/reason", push.FaultTooLarge, fmt.Sprintf("may have at most %d bytes of UTF-8", maxReason))
	}
	return faults
}
