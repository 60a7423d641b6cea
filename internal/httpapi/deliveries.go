package httpapi

import (
	"context"
	"math"
	"net/http"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// streamPage is how many rows of a stream are read at once.
const streamPage = 1000

func (a *api) listDeliveries(ctx context.Context, x *exchange) error {
	id, err := x.pathID(push.PrefixNotification, push.PrefixBatch)
	if err != nil {
		return err
	}
	if !wantsNDJSON(x.r.Header) {
		return replying(func(ctx context.Context, x *exchange) (reply, error) { return a.deliveryPage(ctx, x, id) })(ctx, x)
	}
	most := int64(math.MaxInt64)
	if x.query.has("limit") {
		most = x.query.integer("limit")
	}
	return a.streamDeliveries(ctx, x, id, most)
}

func (a *api) reportBatch(ctx context.Context, x *exchange) error {
	id, err := x.pathID(push.PrefixBatch)
	if err != nil {
		return err
	}
	if x.query.text("class") == classInvalid {
		return a.streamInvalid(ctx, x, id)
	}
	if err := a.streamDeliveries(ctx, x, id, math.MaxInt64); err != nil || x.query.has("class") || x.query.has("code") {
		return err
	}
	return a.streamInvalid(ctx, x, id)
}

func (a *api) deliveryPage(ctx context.Context, x *exchange, id push.ID) (reply, error) {
	rows, next, err := a.cfg.Reports.Deliveries(ctx, x.tenant, id, x.query.filter(), x.query.text("cursor"), int(x.query.integer("limit")))
	if err != nil {
		return reply{}, err
	}
	list := client.DeliveryList{Items: make([]client.Delivery, len(rows)), NextCursor: next}
	for i := range rows {
		list.Items[i] = deliveryView(&rows[i])
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (q *query) filter() report.Filter {
	var f report.Filter
	for _, c := range push.Classes() {
		if q.text("class") == c.String() {
			f.Class, f.HasClass = c, true
		}
	}
	if name := q.text("code"); name != "" {
		f.Code, f.HasCode = push.CodeNamed(name)
	}
	return f
}

// streamDeliveries writes up to most rows.
func (a *api) streamDeliveries(ctx context.Context, x *exchange, id push.ID, most int64) error {
	cursor, filter := x.query.text("cursor"), x.query.filter()
	out := newRows(x)
	for {
		rows, next, err := a.cfg.Reports.Deliveries(ctx, x.tenant, id, filter, cursor, int(min(most, streamPage)))
		if err != nil {
			return err
		}
		for i := range rows {
			if err := out.add(deliveryView(&rows[i])); err != nil {
				return err
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		most -= int64(len(rows))
		if cursor = next; cursor == "" || most <= 0 || x.r.Method == http.MethodHead {
			return nil
		}
	}
}
