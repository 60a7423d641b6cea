package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
	return a.streamDeliveries(ctx, x, id, math.MaxInt64)
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

// streamDeliveries writes up to most rows, page by page: a page is in memory,
// never more. The first page is read before the answer begins, so that what is
// wrong with the request still becomes a problem; what fails later cuts the
// answer off.
func (a *api) streamDeliveries(ctx context.Context, x *exchange, id push.ID, most int64) error {
	cursor, filter := x.query.text("cursor"), x.query.filter()
	out := http.NewResponseController(x.w)
	var page bytes.Buffer
	lines := json.NewEncoder(&page)
	lines.SetEscapeHTML(false)
	for {
		rows, next, err := a.cfg.Reports.Deliveries(ctx, x.tenant, id, filter, cursor, int(min(most, streamPage)))
		if err != nil {
			return err
		}
		page.Reset()
		for i := range rows {
			if err := lines.Encode(deliveryView(&rows[i])); err != nil {
				return fmt.Errorf("encode a delivery: %w", err)
			}
		}
		x.patience()
		x.w.Header().Set("Content-Type", typeNDJSON)
		if x.w.status == 0 {
			x.w.WriteHeader(http.StatusOK)
		}
		if _, err := x.w.Write(page.Bytes()); err != nil {
			return refuse(codeGone, "").by(err)
		}
		_ = out.Flush() // a writer that can't flush has nothing to hold back
		most -= int64(len(rows))
		if cursor = next; cursor == "" || most <= 0 || x.r.Method == http.MethodHead {
			return nil
		}
	}
}
