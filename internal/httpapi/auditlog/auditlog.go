// Package auditlog are the routes by which the audit log is read. What is read is in the log,
// too.
package auditlog

import (
	"context"
	"crypto/ed25519"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/audit"
	"github.com/belfry-push/belfry/internal/audit/journal"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
)

// Entries is the log as the routes read it. Safe for concurrent use.
type Entries interface {
	List(ctx context.Context, tenant string, f *journal.Filter, before int64, limit int) ([]audit.Entry, int64, error)
	Export(ctx context.Context, tenant string, from int64) iter.Seq2[journal.Part, error]
	Checkpoint(ctx context.Context, tenant string) (audit.Checkpoint, error)
	Heads(ctx context.Context, tenant string) iter.Seq2[audit.Head, error]
	Tenants(ctx context.Context) iter.Seq2[string, error]
}

var _ Entries = (*journal.Reader)(nil)

// Config is what the routes stand on.
type Config struct {
	Entries Entries
	Public  []ed25519.PublicKey // that which signs now first
}

type handlers struct{ cfg Config }

// tenant is whose log is asked for.
func (h *handlers) tenant(x *door.Exchange) (string, error) {
	t := x.Query.Text("tenant")
	switch {
	case t == "" || t == x.Tenant:
		return x.Tenant, nil
	case x.Who.Can(access.PermPlatform):
		return t, nil
	}
	return "", door.Refuse(door.CodeForbidden, "this key sees its own tenant's audit log only: leave tenant out")
}

func (h *handlers) list(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	tenant, err := h.tenant(x)
	if err != nil {
		return door.Reply{}, err
	}
	f, err := filter(&x.Query)
	if err != nil {
		return door.Reply{}, err
	}
	var before int64
	if c := x.Query.Text("cursor"); c != "" {
		if before, err = strconv.ParseInt(c, 10, 64); err != nil || before < 1 {
			return door.Reply{}, push.ErrCursor
		}
	}
	found, next, err := h.cfg.Entries.List(ctx, tenant, &f, before, int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	page := client.AuditList{Items: make([]client.AuditEntry, len(found))}
	for i := range found {
		page.Items[i] = view(&found[i])
	}
	if next > 1 {
		page.NextCursor = strconv.FormatInt(next, 10)
	}
	return door.Reply{Status: http.StatusOK, Body: page}, nil
}

func filter(q *door.Query) (journal.Filter, error) {
	f := journal.Filter{
		Actions: q.Texts("action"), Kind: audit.Kind(q.Text("kind")), Who: q.Text("who"),
		TargetKind: q.Text("target"), TargetID: q.Text("target_id"),
	}
	var faults push.Faults
	at := func(name string) time.Time {
		if !q.Has(name) {
			return time.Time{}
		}
		t, err := time.Parse(time.RFC3339, q.Text(name))
		if err != nil {
			faults = append(faults, push.Fault{Pointer: "?" + name, Code: push.FaultValue, Detail: "must be a time such as 2030-01-02T15:04:05Z"})
		}
		return t
	}
	f.Since, f.Until = at("since"), at("until")
	return f, faults.Err()
}

func view(e *audit.Entry) client.AuditEntry {
	v := client.AuditEntry{
		Tenant: e.Tenant, Seq: e.Seq, Time: e.Time, Who: client.AuditWho(e.Who), Action: e.Action, Kind: client.AuditKind(e.Kind), From: e.From,
		Call: e.Call, Trace: e.Trace, Status: e.Status, Code: e.Code, Body: e.Body, Before: e.Before, After: e.After, Reason: e.Reason,
	}
	if e.Target != (audit.Target{}) {
		v.Target = &client.AuditTarget{Kind: e.Target.Kind, ID: e.Target.ID}
	}
	return v
}

func headView(h *audit.Head) *client.AuditHead {
	return &client.AuditHead{Tenant: h.Tenant, Seq: h.Seq, Hash: h.Hash.String(), Time: h.Time, Key: h.Key, Signature: h.Signature}
}

// formatVersion is what the first line of an export says.
const formatVersion = "v1"

// export streams the chain with what is needed to verify it, and a last line by which its
// reader knows that it is whole.
func (h *handlers) export(ctx context.Context, x *door.Exchange) error {
	tenant, err := h.tenant(x)
	if err != nil {
		return err
	}
	point, err := h.cfg.Entries.Checkpoint(ctx, tenant)
	if err != nil {
		return err
	}
	out := &stream{rows: x.Rows()}
	first := client.AuditLine{Audit: formatVersion, Tenant: tenant, From: point.Seq + 1}
	for _, k := range h.cfg.Public {
		first.Keys = append(first.Keys, audit.FormatPublic(k))
	}
	if err := out.add(first); err != nil {
		return err
	}
	for head, err := range h.cfg.Entries.Heads(ctx, tenant) {
		if err == nil {
			err = out.add(client.AuditLine{Kept: headView(&head)})
		}
		if err != nil {
			return err
		}
	}
	var entries int64
	for part, err := range h.cfg.Entries.Export(ctx, tenant, 1) {
		if err != nil {
			return err
		}
		line := client.AuditLine{Block: part.Block}
		switch {
		case part.Line != nil:
			entries++
			line.Entry, line.Hash = part.Line.Entry, part.Line.Hash.String()
		case part.Head != nil:
			line.Head = headView(part.Head)
		default:
			head := audit.Head(*part.Removed)
			line.Removed = headView(&head)
		}
		if err := out.add(line); err != nil {
			return err
		}
	}
	if err := out.add(client.AuditLine{End: &client.AuditEnd{Entries: entries}}); err != nil {
		return err
	}
	return out.rows.Flush()
}

// stream sends rows some hundred at a time.
type stream struct {
	rows  *door.Rows
	count int
}

func (s *stream) add(line client.AuditLine) error {
	const page = 500
	if err := s.rows.Add(line); err != nil {
		return err
	}
	if s.count++; s.count%page == 0 {
		return s.rows.Flush()
	}
	return nil
}

// tenants lists the tenants that the caller may see.
func (h *handlers) tenants(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	all := client.AuditTenants{Tenants: []string{}}
	for t, err := range h.cfg.Entries.Tenants(ctx) {
		if err != nil {
			return door.Reply{}, err
		}
		if t == x.Tenant || x.Who.Can(access.PermPlatform) {
			all.Tenants = append(all.Tenants, t)
		}
	}
	return door.Reply{Status: http.StatusOK, Body: all}, nil
}
