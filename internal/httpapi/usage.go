package httpapi

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/usage"
)

// Usage answers what tenants used.
type Usage interface {
	// Rows returns a page, or push.ErrCursor for a cursor that it did not return.
	Rows(ctx context.Context, q usage.Query, cursor string, limit int) (usage.Page, error)
	// Known reports whether a tenant exists or used something.
	Known(ctx context.Context, tenant string) (bool, error)
}

var _ Usage = (*usage.Room)(nil)

// consumption serves what tenants used.
type consumption struct{ room Usage }

func (c consumption) routes() []*door.Route {
	row := reflect.TypeFor[client.Usage]()
	return []*door.Route{{
		Method: http.MethodGet, Path: "/v1/usage", Name: "listUsage", Needs: access.PermRead, Group: describe.GroupUsage,
		About: "What was used: requests, recipients, outcomes, billable units and cost, by tenant, app and day.",
		Detail: "It equals the ledger to the unit, and outlives the notifications. A notification belongs to the UTC day on which it was " +
			"accepted, a batch to that on which it was made. Without `tenant` it is about the caller's own, or for an operator of the platform " +
			"about all. Days on which nothing was accepted have no row. A page ends with a whole day, or with a whole tenant if rows are of " +
			"several days, so that it may have more rows than `limit`. " +
			"As NDJSON or CSV, when Accept names it, all rows from the cursor on are streamed, " +
			"whatever `limit` says. It costs a read a day and tenant, and the notifications of the last five minutes once a minute.",
		Params: append(door.PageParams(), usageParams()...),
		Gives: []door.Given{
			{
				Status: http.StatusOK, About: "A page; as NDJSON or CSV, all rows.", Types: []string{door.TypeJSON},
				Of: reflect.TypeFor[client.UsageList](),
			},
			{Status: http.StatusOK, Types: []string{door.TypeNDJSON}, Of: row},
			{Status: http.StatusOK, Types: []string{door.TypeCSV}},
		},
		Codes: []door.Code{door.CodeNotFound},
		Run:   c.list,
	}}
}

func usageParams() []door.Param {
	groups := make([]string, 0, len(usage.Groups()))
	for _, g := range usage.Groups() {
		groups = append(groups, string(g))
	}
	return []door.Param{
		{Name: "tenant", About: "Only this tenant.", High: push.MaxName},
		{Name: "app", About: "Only this app.", High: push.MaxName},
		{Name: "since", About: "First UTC day, such as 2030-01-02; without it 30 days ago.", High: door.MaxText},
		{
			Name: "until", About: fmt.Sprintf("The UTC day behind the last one; without it tomorrow. At most %d days after since.", usage.MaxDays),
			High: door.MaxText,
		},
		{
			Name: "group", About: "A row for each day, each app, or each tenant; without it for each day and app.", Kind: door.ParamChoice,
			Choices: groups,
		},
	}
}

func (c consumption) list(ctx context.Context, x *door.Exchange) error {
	q, err := c.query(ctx, x)
	if err != nil {
		return err
	}
	switch {
	case door.Accepts(x.Request.Header, door.TypeCSV):
		return c.csv(ctx, x, q)
	case door.WantsNDJSON(x.Request.Header):
		out := x.Rows()
		return c.all(ctx, x, q, func(rows []usage.Row) error {
			for i := range rows {
				if err := out.Add(usageView(&rows[i])); err != nil {
					return err
				}
			}
			return out.Flush()
		})
	}
	return door.Replying(func(ctx context.Context, x *door.Exchange) (door.Reply, error) { return c.page(ctx, x, q) })(ctx, x)
}

func (c consumption) page(ctx context.Context, x *door.Exchange, q usage.Query) (door.Reply, error) {
	p, err := c.room.Rows(ctx, q, x.Query.Text("cursor"), int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	list := client.UsageList{Items: make([]client.Usage, len(p.Rows)), NextCursor: p.Next, AsOf: p.At.UTC(), Complete: p.Complete}
	for i := range p.Rows {
		list.Items[i] = usageView(&p.Rows[i])
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

// all gives all rows from the cursor on, page by page.
func (c consumption) all(ctx context.Context, x *door.Exchange, q usage.Query, write func([]usage.Row) error) error {
	for cursor := x.Query.Text("cursor"); ; {
		p, err := c.room.Rows(ctx, q, cursor, streamPage)
		if err != nil {
			return err
		}
		if err := write(p.Rows); err != nil {
			return err
		}
		if cursor = p.Next; cursor == "" || x.Request.Method == http.MethodHead {
			return nil
		}
	}
}

// csv streams all rows under a header (RFC 4180). Names are of letters, digits and hyphens, and begin with no
// hyphen, so that no spreadsheet takes one for a formula.
func (c consumption) csv(ctx context.Context, x *door.Exchange, q usage.Query) error {
	out := x.Pieces(door.TypeCSV + "; charset=utf-8; header=present")
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{ // a buffer takes everything
		"tenant", "app", "day", "requests", "recipients", "open", "sent", "permanent", "ambiguous", "suppressed", "expired", "cancelled",
		"dead_lettered", "invalid", "possible_duplicates", "billable_units", "cost_usd", "final",
	})
	return c.all(ctx, x, q, func(rows []usage.Row) error {
		for i := range rows {
			u := usageView(&rows[i])
			record := []string{u.Tenant, u.App, u.Day}
			for _, n := range []int64{
				u.Requests, u.Recipients, u.Open, u.Sent, u.Permanent, u.Ambiguous, u.Suppressed, u.Expired, u.Cancelled, u.DeadLettered, u.Invalid,
				u.PossibleDuplicates, u.BillableUnits,
			} {
				record = append(record, strconv.FormatInt(n, 10))
			}
			_ = w.Write(append(record, strconv.FormatFloat(u.CostUSD, 'f', 9, 64), strconv.FormatBool(u.Final)))
		}
		w.Flush()
		_, err := out.Write(b.Bytes())
		b.Reset()
		return err
	})
}

func usageView(r *usage.Row) client.Usage {
	of := func(c push.Class) int64 { return r.ByClass[c] }
	return client.Usage{
		Tenant: r.Tenant, App: r.App, Day: string(r.Day), Requests: r.Requests, Recipients: r.Recipients, Invalid: r.Invalid,
		Open: of(push.ClassOpen), Sent: of(push.ClassSent), Permanent: of(push.ClassPermanent), Ambiguous: of(push.ClassAmbiguous),
		Suppressed: of(push.ClassSuppressed), Expired: of(push.ClassExpired), Cancelled: of(push.ClassCancelled),
		DeadLettered: of(push.ClassDeadLettered), PossibleDuplicates: r.PossibleDuplicates, BillableUnits: r.Billable(),
		CostUSD: float64(r.Nanodollars) / 1e9, Final: r.Final, //nolint:mnd // nano
	}
}

// query reads what is asked for. Another tenant's usage is for operators of the platform: to others it is not
// there. A key of one app sees that app.
func (c consumption) query(ctx context.Context, x *door.Exchange) (usage.Query, error) {
	q := usage.Query{Tenant: x.Query.Text("tenant"), App: x.Query.Text("app"), Group: usage.Group(x.Query.Text("group"))}
	platform := x.Who.Can(access.PermPlatform) && x.Who.App == ""
	if q.Tenant == "" && !platform {
		q.Tenant = x.Tenant
	}
	if q.Tenant != "" && q.Tenant != x.Tenant {
		if !platform {
			return q, push.ErrNotFound
		}
		if known, err := c.room.Known(ctx, q.Tenant); err != nil || !known {
			return q, or(err, push.ErrNotFound)
		}
	}
	if own := x.Who.App; own != "" {
		if q.App != "" && q.App != own {
			return q, push.ErrNotFound
		}
		q.App = own
	}
	return q, usageDays(x, &q)
}

func or(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// usageDays reads the range.
func usageDays(x *door.Exchange, q *usage.Query) error {
	const usual = 30 // days before today
	var faults push.Faults
	read := func(name string, otherwise usage.Day) usage.Day {
		if !x.Query.Has(name) {
			return otherwise
		}
		d, err := usage.ParseDay(x.Query.Text(name))
		if err != nil {
			faults = append(faults, push.Fault{Pointer: "?" + name, Code: push.FaultValue, Detail: "must be a day such as 2030-01-02"})
		}
		return d
	}
	today := usage.DayOf(x.Now())
	q.Until = read("until", today.Next())
	q.Since = read("since", usage.DayOf(x.Now().AddDate(0, 0, -usual)))
	switch n := q.Since.To(q.Until); {
	case len(faults) > 0:
	case n <= 0:
		faults = append(faults, push.Fault{Pointer: "?until", Code: push.FaultValue, Detail: "must be later than since: nothing is in between"})
	case n > usage.MaxDays:
		faults = append(faults, push.Fault{
			Pointer: "?until", Code: push.FaultValue, Detail: fmt.Sprintf("must be at most %d days after since (got %d)", usage.MaxDays, n),
		})
	}
	return faults.Err()
}
