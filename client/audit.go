package client

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/url"
	"time"
)

// AuditWho is who made a call.
type AuditWho struct {
	Name string `json:"name" doc:"of the caller, as sender of a notification; local: and a user for a command on the data itself"`
	Key  string `json:"key,omitempty" doc:"id of the API key"`
}

// AuditTarget is what a call was about.
type AuditTarget struct {
	Kind string `json:"kind,omitempty" doc:"as in the path: notifications, devices, dead-letters"`
	ID   string `json:"id,omitempty" doc:"absent for all or many"`
}

// AuditEntry is one call in the audit log.
type AuditEntry struct {
	Tenant string          `json:"tenant" doc:"whose it is"`
	Seq    int64           `json:"seq" doc:"in the tenant's chain, from 1 without a gap"`
	Time   time.Time       `json:"time" doc:"when it was answered"`
	Who    AuditWho        `json:"who" doc:"who made the call"`
	Action string          `json:"action" doc:"the operationId of this document, or what a command did"`
	Kind   AuditKind       `json:"kind" enum:"change,read" doc:"change: it changes something, or tried to; read: it shows addresses or messages"`
	Target *AuditTarget    `json:"target,omitempty" doc:"what it was about"`
	From   string          `json:"from,omitempty" doc:"address of the peer; absent for a command"`
	Call   string          `json:"request_id,omitempty" doc:"X-Request-Id of the answer"`
	Trace  string          `json:"trace_id,omitempty" doc:"of its trace"`
	Status int             `json:"status,omitempty" doc:"HTTP status of the answer"`
	Code   string          `json:"code,omitempty" doc:"of the problem, if it was refused"`
	Body   string          `json:"body,omitempty" doc:"SHA-256 of the request's body, which is not kept"`
	Before json.RawMessage `json:"before,omitempty" doc:"the document that was changed, as it was; digests in place of secrets, addresses and texts"`
	After  json.RawMessage `json:"after,omitempty" doc:"the same, as it is now"`
	Reason string          `json:"reason,omitempty" doc:"what the caller gave"`
}

// AuditKind says why a call is in the audit log.
type AuditKind string

// The kinds of audit entry.
const (
	AuditChange AuditKind = "change"
	AuditRead   AuditKind = "read"
)

// AuditList is a page of the audit log, newest first. A filter may give a page with few
// entries, or none, and a cursor.
type AuditList struct {
	Items      []AuditEntry `json:"items" doc:"the entries"`
	NextCursor string       `json:"next_cursor,omitempty" doc:"absent on the last page"`
}

// AuditHead is a signed head of a tenant's chain: so many entries, this hash.
type AuditHead struct {
	Tenant    string    `json:"tenant" doc:"whose chain"`
	Seq       int64     `json:"seq" doc:"of the last entry, which is how many there are"`
	Hash      string    `json:"hash" doc:"of the chain up to it, in hexadecimal"`
	Time      time.Time `json:"time" doc:"when it was signed"`
	Key       string    `json:"key" doc:"first 8 hexadecimal digits of the public key's SHA-256"`
	Signature []byte    `json:"signature" doc:"Ed25519, in base64"`
}

// AuditLine is one line of an exported audit log; one of its groups of fields is set. The
// first line has Audit, the last one End.
type AuditLine struct {
	Audit  string   `json:"audit,omitempty" doc:"of the first line: version of the format"`
	Tenant string   `json:"tenant,omitempty" doc:"of the first line: whose chain"`
	From   int64    `json:"from,omitempty" doc:"of the first line: seq of the first entry"`
	Keys   []string `json:"keys,omitempty" doc:"of the first line: public keys, that which signs now first"`

	Removed *AuditHead `json:"removed,omitempty" doc:"the signed checkpoint at the last entry that retention removed; the chain goes on from it"`

	Kept *AuditHead `json:"kept,omitempty" doc:"a head that is kept apart from the entries"`

	Block int64           `json:"block,omitempty" doc:"of an entry or head: seq of the first entry that was written with it"`
	Entry json.RawMessage `json:"entry,omitempty" doc:"an AuditEntry, byte for byte as its hash covers it"`
	Hash  string          `json:"hash,omitempty" doc:"of the chain up to the entry, in hexadecimal"`
	Head  *AuditHead      `json:"head,omitempty" doc:"the signed head behind the entries that were written together"`

	End *AuditEnd `json:"end,omitempty" doc:"the last line: the export is whole"`
}

// AuditEnd is the last line of an export.
type AuditEnd struct {
	Entries int64 `json:"entries" doc:"how many were exported"`
}

// AuditFilter narrows the audit log; empty fields do not, and what is set must all hold.
type AuditFilter struct {
	Tenant     string   // "": the key's own; another one with the operator's key only
	Actions    []string // any of these
	Kind       AuditKind
	Who        string // name of the caller, or id of its key
	TargetKind string
	TargetID   string
	Since      time.Time // then or later
	Until      time.Time // before
	PageSize   int       // how many are fetched at once, 1..1000; 0 is the server's choice
}

func (f AuditFilter) query() url.Values {
	q := limited(url.Values{}, f.PageSize)
	for _, a := range f.Actions {
		q.Add("action", a)
	}
	for name, value := range map[string]string{
		"tenant": f.Tenant, "kind": string(f.Kind), "who": f.Who, "target": f.TargetKind, "target_id": f.TargetID,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}

// Audit walks the audit log, newest first.
func (c *Client) Audit(ctx context.Context, f AuditFilter) iter.Seq2[AuditEntry, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]AuditEntry, string, error) {
		return list[AuditEntry](ctx, c, "/v1/audit", f.query(), cursor)
	})
}

// AuditTenants lists the tenants that have an audit log and that the key may see.
func (c *Client) AuditTenants(ctx context.Context) ([]string, error) {
	var t AuditTenants
	err := c.do(ctx, get("/v1/audit/tenants", nil), &t)
	return t.Tenants, err
}

// AuditTenants are the tenants that have an audit log.
type AuditTenants struct {
	Tenants []string `json:"tenants" doc:"by name"`
}

// ExportAudit streams a tenant's whole chain, "" for the key's own, as NDJSON of [AuditLine].
// The caller closes it.
func (c *Client) ExportAudit(ctx context.Context, tenant string) (io.ReadCloser, error) {
	q := url.Values{}
	if tenant != "" {
		q.Set("tenant", tenant)
	}
	cl := get("/v1/audit/export", q)
	cl.accept, cl.timeout = typeNDJSON, 0
	return c.open(ctx, cl)
}
