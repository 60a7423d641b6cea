package httpapi

import (
	"context"
	"math"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// streamPage is how many rows of a stream are read at once.
const streamPage = 1000

// deliveries serve the rows of a notification, a page or all of them.
type deliveries struct{ reports Reports }

func (d deliveries) listDeliveries(ctx context.Context, x *door.Exchange) error {
	id, err := x.PathID(push.PrefixNotification, push.PrefixBatch)
	if err != nil {
		return err
	}
	if !door.WantsNDJSON(x.Request.Header) {
		return door.Replying(func(ctx context.Context, x *door.Exchange) (door.Reply, error) { return d.deliveryPage(ctx, x, id) })(ctx, x)
	}
	most := int64(math.MaxInt64)
	if x.Query.Has("limit") {
		most = x.Query.Integer("limit")
	}
	return d.streamDeliveries(ctx, x, id, most)
}

func (d deliveries) reportBatch(ctx context.Context, x *door.Exchange) error {
	id, err := x.PathID(push.PrefixBatch)
	if err != nil {
		return err
	}
	if x.Query.Text("class") == classInvalid {
		return d.streamInvalid(ctx, x, id)
	}
	narrowed := x.Query.Has("class") && x.Query.Text("class") != views.ClassFailed || x.Query.Has("code")
	if err := d.streamDeliveries(ctx, x, id, math.MaxInt64); err != nil || narrowed {
		return err
	}
	return d.streamInvalid(ctx, x, id)
}

func (d deliveries) deliveryPage(ctx context.Context, x *door.Exchange, id push.ID) (door.Reply, error) {
	rows, next, err := d.reports.Deliveries(ctx, x.Tenant, id, deliveryFilter(&x.Query), x.Query.Text("cursor"), int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	list := client.DeliveryList{Items: make([]client.Delivery, len(rows)), NextCursor: next}
	for i := range rows {
		list.Items[i] = deliveryView(&rows[i])
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

// deliveryFilter returns the filter that the parameters of [views.OutcomeParams] give.
func deliveryFilter(q *door.Query) report.Filter {
	f := report.Filter{Failed: q.Text("class") == views.ClassFailed}
	for _, c := range push.Classes() {
		if q.Text("class") == c.String() {
			f.Class, f.HasClass = c, true
		}
	}
	if name := q.Text("code"); name != "" {
		f.Code, f.HasCode = push.CodeNamed(name)
	}
	return f
}

// streamDeliveries writes up to most rows.
func (d deliveries) streamDeliveries(ctx context.Context, x *door.Exchange, id push.ID, most int64) error {
	cursor, filter := x.Query.Text("cursor"), deliveryFilter(&x.Query)
	out := x.Rows()
	for {
		rows, next, err := d.reports.Deliveries(ctx, x.Tenant, id, filter, cursor, int(min(most, streamPage)))
		if err != nil {
			return err
		}
		for i := range rows {
			if err := out.Add(deliveryView(&rows[i])); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		most -= int64(len(rows))
		if cursor = next; cursor == "" || most <= 0 || x.Request.Method == http.MethodHead {
			return nil
		}
	}
}

// classInvalid is the class of the refused lines in a report. It is not in the taxonomy,
// because a refused line has no delivery.
const classInvalid = "invalid"

// invalidRow is a refused line in a report; the document describes it as a
// client.Delivery without what only a delivery has.
type invalidRow struct {
	Line    int64  `json:"line"`
	Class   string `json:"class"`
	Code    string `json:"code"`
	Pointer string `json:"pointer,omitempty"`
	Detail  string `json:"detail"`
}

// streamInvalid writes the refused lines of a batch.
func (d deliveries) streamInvalid(ctx context.Context, x *door.Exchange, id push.ID) error {
	out := x.Rows()
	for cursor := ""; ; {
		lines, next, err := d.reports.Invalid(ctx, x.Tenant, id, cursor, streamPage)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if err := out.Add(invalidRow{Line: l.Line, Class: classInvalid, Code: l.Code, Pointer: l.Pointer, Detail: l.Detail}); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if cursor = next; cursor == "" || x.Request.Method == http.MethodHead {
			return nil
		}
	}
}

// reportParams are [views.OutcomeParams] with the class of refused lines.
func reportParams() []door.Param {
	params := views.OutcomeParams()
	for i := range params {
		if params[i].Name == "class" {
			params[i].Choices = append(params[i].Choices, classInvalid)
			params[i].About = "Only deliveries of this class; failed: all that have ended and were not sent, with the upload lines that were " +
				"refused; invalid: only those lines."
		}
	}
	return params
}
