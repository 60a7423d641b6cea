package pause

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// Scope is what a pause stops.
type Scope string

// The scopes. The set is closed.
const (
	ScopeEverything Scope = "everything"
	ScopeTenant     Scope = "tenant"
	ScopeApp        Scope = "app"
	ScopeLane       Scope = "lane"  // of everything, a tenant or an app
	ScopeLabel      Scope = "label" // of a tenant or an app
)

// Pause is one pause. It stops what Tenant, App, Lane and Label have in common.
type Pause struct {
	ID     push.ID   `json:"id"`
	Tenant string    `json:"tenant,omitempty"` // "" is everything
	App    string    `json:"app,omitempty"`    // "" is all of the tenant
	Lane   push.Lane `json:"lane,omitempty"`   // "" is every lane
	Label  string    `json:"label,omitempty"`  // name=value, or name for any value; "" is every notification, labelled or not
	Reason string    `json:"reason,omitempty"` // for people
	By     string    `json:"by"`               // who asked for it
	Since  time.Time `json:"since"`
	// Operator says that the platform's operator asked for it: the tenant may not lift it.
	Operator bool `json:"operator,omitempty"`
}

// Scope returns what it stops.
func (p *Pause) Scope() Scope {
	switch {
	case p.Label != "":
		return ScopeLabel
	case p.Lane != "":
		return ScopeLane
	case p.Tenant == "":
		return ScopeEverything
	case p.App == "":
		return ScopeTenant
	}
	return ScopeApp
}

// stops returns what it stops.
func (p *Pause) stops() push.Bounds {
	return push.Bounds{Tenant: p.Tenant, App: p.App, Lane: p.Lane, Label: p.Label}
}

// Covers reports whether it stops what a notification has on a lane.
func (p *Pause) Covers(lane push.Lane, n *push.Notification) bool {
	b := p.stops()
	return b.Cover(n.Tenant, n.AppName(), lane, n.Labels)
}

// What it says in words: everything, tenant acme, app acme/shop, lane bulk, lane bulk of tenant acme, label campaign=spring
// of app acme/shop.
func (p *Pause) What() string {
	part := ""
	switch p.Scope() {
	case ScopeLane:
		part = "lane " + string(p.Lane)
	case ScopeLabel:
		part = "label " + p.Label
	case ScopeEverything, ScopeTenant, ScopeApp:
		return p.whole()
	}
	if p.Tenant == "" {
		return part
	}
	return part + " of " + p.whole()
}

// whole says what it stops, or a lane or a label of.
func (p *Pause) whole() string {
	switch {
	case p.App != "":
		return "app " + p.Tenant + "/" + p.App
	case p.Tenant != "":
		return "tenant " + p.Tenant
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

// The bounds. Every request to FCM is held against the pauses of its tenant, and labels are as many as somebody makes up.
// One tenant must not use up what others need, nor all of them what the operator needs to stop everything.
const (
	maxOwn    = 100   // of a tenant by its own keys, and as many by the operator
	maxPauses = 1_000 // in all, in one document
)

// room returns the fault of a pause that would be one too many.
func (s *stored) room(asked *Pause) error {
	own := 0
	for i := range s.Pauses {
		if o := &s.Pauses[i]; o.Tenant == asked.Tenant && o.Operator == asked.Operator {
			own++
		}
	}
	if own >= maxOwn {
		return push.Faults{{Code: push.FaultTooLarge, Detail: fmt.Sprintf(
			"tenant %s has %d pauses, and may not have more: lift some, or pause a label with any value, an app or the tenant", asked.Tenant, own,
		)}}
	}
	body, err := json.Marshal(stored{Pauses: append(slices.Clip(s.Pauses), *asked)})
	if err != nil {
		return fmt.Errorf("write the pauses: %w", err)
	}
	most, bytes := maxPauses, document.MaxBytes
	if !asked.Operator {
		most, bytes = most*3/4, bytes*3/4
	}
	if len(s.Pauses) >= most || len(body) > bytes {
		return push.Faults{{Code: push.FaultTooLarge, Detail: fmt.Sprintf(
			"there are %d pauses, and there is no room for more: lift some, or pause a tenant or everything", len(s.Pauses),
		)}}
	}
	return nil
}

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
	if p.Lane != "" && !slices.Contains(push.Lanes(), p.Lane) {
		fault("/lane", push.FaultValue, "must be one of high, bulk, replay")
	}
	if p.Label != "" {
		p.checkLabel(fault)
	}
	return append(faults, push.CheckReason(p.Reason)...)
}

// checkLabel finds what is wrong with a label: what no notification can have, nobody has to pause.
func (p *Pause) checkLabel(fault func(pointer, code, detail string)) {
	const pointer = "/label"
	l := push.ParseLabel(p.Label)
	switch code, why := push.CheckLabel(l.Name, l.Value); {
	case l.Name == "":
		fault(pointer, push.FaultValue, "must be name=value, or name for any value")
	case code != "":
		fault(pointer, code, why)
	case !utf8.ValidString(p.Label):
		fault(pointer, push.FaultValue, "must be UTF-8")
	}
	if p.Tenant == "" {
		fault("/tenant", push.FaultMissing, "a label is one of a tenant's notifications")
	}
	if p.Lane != "" {
		fault("/lane", push.FaultConflict, "a pause is of a lane or of a label: leave one out")
	}
}
