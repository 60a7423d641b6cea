package tail

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// Kind is what an event is about, in a word.
type Kind string

// The kinds. The set is closed.
const (
	KindAccepted    Kind = "accepted"
	KindChanged     Kind = "changed"
	KindOutcome     Kind = "outcome"
	KindCompleted   Kind = "completed"
	KindHeld        Kind = "held"
	KindQuarantined Kind = "quarantined"
	KindBreaker     Kind = "breaker"
	KindCredential  Kind = "credential"
	KindReconciled  Kind = "reconciled"
	KindReplay      Kind = "replay"
	KindAudit       Kind = "audit"
)

// Kinds lists all, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{
		KindAccepted, KindChanged, KindOutcome, KindCompleted, KindHeld, KindReconciled, KindQuarantined, KindBreaker, KindCredential,
		KindReplay, KindAudit,
	}
}

// kindOf returns the kind of a type of event, "" for none.
func kindOf(eventType string) Kind {
	switch eventType {
	case wire.EventAccepted:
		return KindAccepted
	case wire.EventChanged:
		return KindChanged
	case wire.EventOutcome:
		return KindOutcome
	case wire.EventCompleted:
		return KindCompleted
	case wire.EventHeld:
		return KindHeld
	case wire.EventDeviceQuarantined:
		return KindQuarantined
	case wire.EventBreakerChanged:
		return KindBreaker
	case wire.EventCredentialInvalid:
		return KindCredential
	case wire.EventReconciled:
		return KindReconciled
	case wire.EventReplayChanged:
		return KindReplay
	case wire.EventAudited:
		return KindAudit
	}
	return ""
}

// Needs returns the permission that a caller needs to see events of a kind, beside [access.PermRead]: the one without which
// it could not read the same elsewhere.
func (k Kind) Needs() access.Permission {
	switch k {
	case KindAudit:
		return access.PermAudit
	case KindQuarantined:
		return access.PermReadDevices
	case KindAccepted, KindChanged, KindOutcome, KindCompleted, KindHeld, KindBreaker, KindCredential, KindReconciled, KindReplay:
	}
	return access.PermRead
}

// about is what of an event's data filters go by. Each type of data has some of it.
type about struct {
	Tenant string            `json:"tenant"`
	App    string            `json:"app"`
	ID     string            `json:"id"`
	Target string            `json:"target_id"` // of an entry of the audit log
	Labels map[string]string `json:"labels"`
	Code   string            `json:"code"`
	Cause  string            `json:"cause"` // of a breaker
	ByCode map[string]int64  `json:"by_code"`
}

// codes returns the outcome codes that an event tells of.
func (a *about) codes(yield func(string) bool) {
	for _, c := range []string{a.Code, a.Cause} {
		if c != "" && c != push.CodeOpen.String() && !yield(c) {
			return
		}
	}
	for c := range a.ByCode {
		if !yield(c) {
			return
		}
	}
}

// encodeSieved returns an event in structured mode, without what no stream shows: the user of a device.
func encodeSieved(e *wire.Event) ([]byte, error) {
	if e.Type == wire.EventDeviceQuarantined {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(e.Data, &fields); err != nil {
			return nil, fmt.Errorf("read the data of %s: %w", e.ID, err)
		}
		fields["user_id"] = json.RawMessage(`""`)
		raw, err := json.Marshal(fields)
		if err != nil {
			return nil, fmt.Errorf("write the data of %s: %w", e.ID, err)
		}
		sieved := *e
		sieved.Data = raw
		e = &sieved
	}
	return wire.EncodeEvent(e)
}

// Filter chooses events. What is empty chooses all; what is given must all hold, of a list one of it.
type Filter struct {
	Kinds   []Kind
	Tenant  string
	App     string
	IDs     []string     // of notifications, batches or replays
	Labels  []push.Label // all of them
	Codes   []string
	Classes []push.Class
}

// Sight is what a caller may see, whatever it asks for.
type Sight struct {
	All    bool   // of every tenant, and what belongs to none
	Tenant string // otherwise of this one
	App    string // and only of this app; "" is all
	Kinds  []Kind
}

// sees reports whether somebody with that sight may see an event.
func (s *Sight) sees(kind Kind, a *about) bool {
	if !slices.Contains(s.Kinds, kind) {
		return false
	}
	if s.All {
		return true
	}
	return a.Tenant == s.Tenant && (s.App == "" || a.App == s.App)
}

// takes reports whether the filter chooses an event.
func (f *Filter) takes(kind Kind, a *about) bool {
	switch {
	case len(f.Kinds) > 0 && !slices.Contains(f.Kinds, kind),
		f.Tenant != "" && a.Tenant != f.Tenant,
		f.App != "" && a.App != f.App,
		len(f.IDs) > 0 && !slices.Contains(f.IDs, a.ID) && !slices.Contains(f.IDs, a.Target):
		return false
	}
	for _, l := range f.Labels {
		if !l.In(a.Labels) {
			return false
		}
	}
	if len(f.Codes) == 0 && len(f.Classes) == 0 {
		return true
	}
	for c := range a.codes {
		if f.takesCode(c) {
			return true
		}
	}
	return false
}

// takesCode reports whether a code is one of the filter's, if it has any, and of one of its classes, if it has any. A code
// may be given by its beginning, as fcm.
func (f *Filter) takesCode(name string) bool {
	named := func(c string) bool { return c == name || strings.HasPrefix(name, c+".") }
	if len(f.Codes) > 0 && !slices.ContainsFunc(f.Codes, named) {
		return false
	}
	if len(f.Classes) == 0 {
		return true
	}
	code, ok := push.CodeNamed(name)
	return ok && slices.Contains(f.Classes, code.Class())
}
