package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/privacy"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
)

// Privacy exports and erases users.
type Privacy interface {
	// Start takes a request. Errors are push.Faults, or a store's.
	Start(ctx context.Context, o privacy.Order) (privacy.Request, error)
	// Get returns a tenant's request, or push.ErrNotFound.
	Get(ctx context.Context, tenant string, id push.ID) (privacy.Request, error)
	List(ctx context.Context, tenant, cursor string, limit int) ([]privacy.Request, string, error)
	// Export calls emit with what is kept of the subject of an export, and last with its receipt.
	Export(ctx context.Context, tenant string, id push.ID, emit func(privacy.Row) error) error
}

var _ Privacy = (*privacy.Room)(nil)

// privacyRequests serve exports and erasures of users.
type privacyRequests struct{ room Privacy }

func (p *privacyRequests) create(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var in client.PrivacyOrder
	if err := request.DecodeJSON(x.Body, &in); err != nil {
		return door.Reply{}, err
	}
	o := privacy.Order{
		Tenant: x.Tenant, Action: privacy.Action(in.Action), By: x.Who.Name, Reference: in.Reference,
		Subject: privacy.Subject{
			UserID: in.UserID, DeviceIDs: converted[push.ID](in.DeviceIDs), Tokens: converted[push.Token](in.Tokens),
			FIDs: converted[push.Token](in.FIDs),
		},
	}
	if in.Since != nil {
		o.Since = *in.Since
	}
	if in.Receipt != nil {
		receipt, err := receiptOf(in.Receipt)
		if err != nil {
			return door.Reply{}, err
		}
		o.Receipt = receipt
	}
	q, err := p.room.Start(ctx, o)
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusAccepted, Body: privacyView(&q), Location: "/v1/privacy-requests/" + string(q.ID)}, nil
}

// receiptOf reads a receipt that was given back.
func receiptOf(v *client.PrivacyReceipt) (*privacy.Receipt, error) {
	r := &privacy.Receipt{
		Version: v.Version, Request: push.ID(v.Request), Tenant: v.Tenant, Action: privacy.Action(v.Action), By: v.By, Reference: v.Reference,
		CreatedAt: wholeSeconds(v.CreatedAt), EndedAt: wholeSeconds(v.EndedAt), Counts: privacy.Counts(v.Counts),
		Hashes: make([]privacy.Hash, len(v.Hashes)), PublicKey: v.PublicKey, Signature: v.Signature,
	}
	for i, text := range v.Hashes {
		if err := r.Hashes[i].UnmarshalText([]byte(text)); err != nil {
			return nil, push.Faults{{Pointer: fmt.Sprintf("/receipt/hashes/%d", i), Code: push.FaultValue, Detail: err.Error()}}
		}
	}
	return r, nil
}

func converted[T ~string](in []string) []T {
	var out []T
	for _, s := range in {
		out = append(out, T(s))
	}
	return out
}

func (p *privacyRequests) get(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := x.PathID(push.PrefixPrivacy)
	if err != nil {
		return door.Reply{}, err
	}
	q, err := p.room.Get(ctx, x.Tenant, id)
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: privacyView(&q)}, nil
}

func (p *privacyRequests) list(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	const usual = 100
	limit := int(x.Query.Integer("limit"))
	if limit == 0 {
		limit = usual
	}
	qs, next, err := p.room.List(ctx, x.Tenant, x.Query.Text("cursor"), limit)
	if err != nil {
		return door.Reply{}, err
	}
	out := client.PrivacyList{Items: make([]client.PrivacyRequest, len(qs)), NextCursor: next}
	for i := range qs {
		out.Items[i] = privacyView(&qs[i])
	}
	return door.Reply{Status: http.StatusOK, Body: out}, nil
}

// export streams rows as they are found: nothing of them is stored for it.
func (p *privacyRequests) export(ctx context.Context, x *door.Exchange) error {
	id, err := x.PathID(push.PrefixPrivacy)
	if err != nil {
		return err
	}
	const together = 100
	rows, n := x.Rows(), 0
	err = p.room.Export(ctx, x.Tenant, id, func(r privacy.Row) error {
		if err := rows.Add(privacyRow(&r)); err != nil {
			return err
		}
		if n++; n%together == 0 {
			return rows.Flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return rows.Flush()
}

// wholeSeconds is how a receipt has times.
func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func privacyView(q *privacy.Request) client.PrivacyRequest {
	return client.PrivacyRequest{
		ID: string(q.ID), Action: client.PrivacyAction(q.Action), State: client.PrivacyState(q.State), By: q.By, Reference: q.Reference,
		CreatedAt: q.CreatedAt, EndedAt: views.Time(q.EndedAt), ExpiresAt: views.Time(q.ExpiresAt), Counts: client.PrivacyCounts(q.Counts),
		Receipt: receiptView(q.Receipt),
	}
}

func receiptView(r *privacy.Receipt) *client.PrivacyReceipt {
	if r == nil {
		return nil
	}
	v := &client.PrivacyReceipt{
		Version: r.Version, Request: string(r.Request), Tenant: r.Tenant, Action: client.PrivacyAction(r.Action), By: r.By,
		Reference: r.Reference, CreatedAt: wholeSeconds(r.CreatedAt), EndedAt: wholeSeconds(r.EndedAt), Counts: client.PrivacyCounts(r.Counts),
		Hashes: make([]string, len(r.Hashes)), PublicKey: r.PublicKey, Signature: r.Signature,
	}
	for i, h := range r.Hashes {
		v.Hashes[i] = h.String()
	}
	return v
}

func privacyRow(r *privacy.Row) client.PrivacyRow {
	out := client.PrivacyRow{Receipt: receiptView(r.Receipt)}
	switch {
	case r.Device != nil:
		d := deviceView(r.Device)
		out.Device = &d
	case r.Delivery != nil:
		out.Delivery = privacyDelivery(r.Delivery)
	case r.Letter != nil:
		out.DeadLetter = privacyLetter(r.Letter)
	}
	return out
}

func privacyDelivery(d *privacy.Delivery) *client.PrivacyDelivery {
	v := &client.PrivacyDelivery{
		Notification: string(d.Notification.ID), AcceptedAt: d.Notification.AcceptedAt, Labels: d.Notification.Labels,
		Message: json.RawMessage(d.Notification.Message), Code: client.Code(d.Code.String()), Class: client.Class(d.Code.Class().String()),
		PossibleDuplicate: d.Duplicate,
	}
	if d.Code != push.CodeOpen {
		v.At = views.Time(d.At)
	}
	for i := range d.Attempts {
		v.Attempts = append(v.Attempts, views.Attempt(&d.Attempts[i]))
	}
	return v
}

func privacyLetter(l *push.Letter) *client.PrivacyLetter {
	v := &client.PrivacyLetter{
		ID: string(l.ID), Notification: string(l.Notification), Code: client.Code(l.Code.String()), State: client.DeadLetterState(l.State),
		DeadAt: l.DeadAt, Detail: l.Detail, UserID: l.Recipient.UserID, DeviceID: string(l.Recipient.DeviceID), Data: l.Recipient.Data,
		Whole: l.Kind == push.LetterMessage,
	}
	switch l.Recipient.Address.Kind {
	case push.KindToken:
		v.Token = l.Recipient.Address.Value.Reveal()
	case push.KindFID:
		v.FID = l.Recipient.Address.Value.Reveal()
	case push.KindTopic, push.KindCondition:
	}
	return v
}

func (p *privacyRequests) routes() []*door.Route {
	const group, all, one = groupPrivacy, "/v1/privacy-requests", "/v1/privacy-requests/{id}"
	view := reflect.TypeFor[client.PrivacyRequest]()
	return []*door.Route{
		{
			Method: http.MethodPost, Path: all, Name: "createPrivacyRequest", Needs: access.PermPrivacy, Group: group,
			About: "Export or erase a user.",
			Detail: "An erasure stops everything that was accepted for the person, from 5 s on, also what is queued; then it removes devices, " +
				"recipients of notifications and uploads, and dead letters, whoever dies meanwhile. The request names its person until it is done. " +
				"A device that its app registers by PUT afterwards is a new consent: what is accepted from then on is sent.",
			Once: door.KeyByStore, Takes: []string{door.TypeJSON}, Body: reflect.TypeFor[client.PrivacyOrder](),
			Gives: []door.Given{{Status: http.StatusAccepted, About: "Taken.", Types: []string{door.TypeJSON}, Of: view, Located: true}},
			Run:   door.Replying(door.OnceRead(p.create)),
		},
		{
			Method: http.MethodGet, Path: all, Name: "listPrivacyRequests", Needs: access.PermPrivacy, Group: group,
			About: "List privacy requests, oldest first.", Params: door.PageParams(), Gives: door.OK(reflect.TypeFor[client.PrivacyList]()),
			Run: door.Replying(p.list),
		},
		{
			Method: http.MethodGet, Path: one, Name: "getPrivacyRequest", Needs: access.PermPrivacy, Group: group,
			About: "Show how a privacy request stands, with its receipt once it is done.", Gives: door.OK(view),
			Codes: []door.Code{door.CodeNotFound}, Run: door.Replying(p.get),
		},
		{
			Method: http.MethodGet, Path: one + "/export", Name: "exportPrivacyRequest", Needs: access.PermPrivacy, Group: group,
			Audit: door.AuditRead,
			About: "Stream what is kept of the person of an export.",
			Detail: "It is read while it is sent, and costs a look into every notification of the tenant that is kept. The last line is the " +
				"receipt: an export without it was cut off.",
			Gives: []door.Given{{
				Status: http.StatusOK, About: "A line for each thing.", Types: []string{door.TypeNDJSON}, Of: reflect.TypeFor[client.PrivacyRow](),
			}},
			Codes: []door.Code{door.CodeNotFound, door.CodeState}, Run: p.export,
		},
	}
}
