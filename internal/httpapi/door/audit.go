package door

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"path"
	"strings"

	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/push"
)

// AuditUse says whether calls of a route are in the audit log.
type AuditUse uint8

// The uses of the audit log.
const (
	// AuditByMethod is AuditNone for a route that is open or a GET, and AuditChange for any other.
	AuditByMethod AuditUse = iota
	AuditChange            // it changes something
	AuditRead              // it shows addresses, or what was sent to whom
	AuditOwn               // it shows the audit log, which must be read and verified even when it cannot be written
	AuditNone
)

// Auditor keeps the audit log. Safe for concurrent use.
type Auditor interface {
	// Ready returns nil if entries can be stored as far as is known. A call that changes
	// something is refused with any other error before it does so.
	Ready() error
	// Record returns when the entry is durable.
	Record(ctx context.Context, e audit.Entry) error
	// Offer takes an entry for which nobody waits.
	Offer(e audit.Entry)
}

// AuditKind is what calls of the route are in the audit log as, "" if they are not in it.
func (rt *Route) AuditKind() audit.Kind {
	switch rt.Audit {
	case AuditChange:
		return audit.Change
	case AuditRead, AuditOwn:
		return audit.Read
	case AuditNone:
		return ""
	case AuditByMethod:
	}
	if rt.Open || rt.Method == "" || rt.Method == http.MethodGet || rt.Method == http.MethodHead {
		return ""
	}
	return audit.Change
}

// Changed notes for the audit log what a call did to a document: as it was and as it is,
// either of them nil. Secrets, addresses and texts in them are recorded as digests.
func (x *Exchange) Changed(before, after any) error {
	e := x.note()
	var err error
	if e.Before, err = audit.Redacted(before); err != nil {
		return err
	}
	e.After, err = audit.Redacted(after)
	return err
}

// Targets notes for the audit log what a call was about, where that is not in its path or
// Location.
func (x *Exchange) Targets(kind, id string) { x.note().Target = audit.Target{Kind: kind, ID: id} }

// Because notes for the audit log the reason that the caller gave.
func (x *Exchange) Because(reason string) { x.note().Reason = reason }

// note is what handlers say for the audit log. Thousands of streams have an exchange, and say nothing.
func (x *Exchange) note() *audit.Entry {
	if x.entry == nil {
		x.entry = &audit.Entry{}
	}
	return x.entry
}

// auditable refuses a call that changes something while the audit log cannot be written:
// what is not recorded must not happen.
func (d *Door) auditable(x *Exchange) error {
	if d.cfg.Audit == nil || x.route.AuditKind() != audit.Change {
		return nil
	}
	return d.cfg.Audit.Ready()
}

// audit records the call, once. An answer that says that something was done, or shows what
// is to be recorded, waits until the entry is durable, and is not given if it cannot be; any
// other answer does not depend on it.
func (x *Exchange) audit(ctx context.Context, status int) error {
	if !x.unaudited() {
		return nil
	}
	e := x.audited(status, "")
	if status >= http.StatusBadRequest || x.route.Audit == AuditOwn {
		x.door.cfg.Audit.Offer(e)
		return nil
	}
	return x.door.cfg.Audit.Record(ctx, e)
}

// auditRefused records a call that was refused, or whose client hung up before the answer.
func (x *Exchange) auditRefused(status int, code Code) {
	if x.unaudited() {
		x.door.cfg.Audit.Offer(x.audited(status, code))
	}
}

// EntryOf returns a function for what stores the audit log's entry together with what the call creates: the entry of an
// answer with this status about a new thing of that id. It is nil if the call is not in the audit log. If the entry was
// stored, [Exchange.Audited] must be called.
func (x *Exchange) EntryOf(status int) func(id push.ID) audit.Entry {
	if !x.unaudited() {
		return nil
	}
	return func(id push.ID) audit.Entry {
		e := x.entryOf(status, "")
		if e.Target.ID == "" {
			e.Target.ID = string(id)
		}
		return e
	}
}

// Audited says that the call is in the audit log.
func (x *Exchange) Audited() { x.inAudit = true }

// unaudited reports whether the call is to be recorded still. Nobody's call is not: it is in
// the server's log.
func (x *Exchange) unaudited() bool {
	return !x.inAudit && x.route.AuditKind() != "" && x.door.cfg.Audit != nil && x.Tenant != ""
}

// audited is the call's entry.
func (x *Exchange) audited(status int, code Code) audit.Entry {
	x.inAudit = true
	return x.entryOf(status, code)
}

func (x *Exchange) entryOf(status int, code Code) audit.Entry {
	e := *x.note()
	e.Tenant, e.Time, e.Who = x.Tenant, x.Now(), x.who()
	e.Action, e.Kind, e.Status, e.Code = x.route.Name, x.route.AuditKind(), status, string(code)
	e.Call, e.Trace, e.From = x.id, hex.EncodeToString(x.Trace.TraceID[:]), x.from()
	if e.Target == (audit.Target{}) {
		e.Target = x.target()
	}
	if body := x.seen(); len(body) > 0 {
		e.Body = audit.Digest(body)
	}
	return e
}

func (x *Exchange) who() audit.Who { return audit.Who{Name: x.Who.Name, Key: x.Who.Key} }

// seen is the body, of a route that reads it as a whole.
func (x *Exchange) seen() []byte {
	if x.loaded != nil {
		return x.loaded
	}
	return x.Body
}

// from is the peer's address, "" inside the process.
func (x *Exchange) from() string {
	host, _, err := net.SplitHostPort(x.Request.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// target is what the path speaks of: its first segment behind the version, and its id. For
// what was created, the Location has the id.
func (x *Exchange) target() audit.Target {
	segments := strings.Split(strings.TrimPrefix(x.route.Path, "/"), "/")
	t := audit.Target{Kind: segments[min(1, len(segments)-1)]}
	for _, s := range segments {
		name, ok := strings.CutPrefix(s, "{")
		if !ok {
			continue
		}
		t.ID = x.Request.PathValue(strings.Trim(name, "}."))
		return t // what comes behind it may be an address
	}
	if l := x.w.Header().Get("Location"); l != "" {
		t.ID = path.Base(l)
	}
	return t
}
