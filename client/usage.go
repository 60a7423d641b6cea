package client

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Usage is what was used on a day, by an app, or by a tenant, as UsageFilter.Group says.
type Usage struct {
	Tenant string `json:"tenant" doc:"whose it is"`
	App    string `json:"app,omitempty" doc:"the app; absent of a row about several"`
	Day    string `json:"day,omitempty" doc:"UTC day of acceptance, such as 2030-01-02; absent of a row about several"`

	Requests           int64   `json:"requests" doc:"notifications and batches accepted"`
	Recipients         int64   `json:"recipients" doc:"deliveries: the sum of open and all outcomes"`
	Open               int64   `json:"open" doc:"not decided yet"`
	Sent               int64   `json:"sent" doc:"FCM accepted it"`
	Permanent          int64   `json:"permanent" doc:"the recipient cannot get this message"`
	Ambiguous          int64   `json:"ambiguous" doc:"may have been delivered"`
	Suppressed         int64   `json:"suppressed" doc:"Belfry chose not to send"`
	Expired            int64   `json:"expired" doc:"too late before it could be sent"`
	Cancelled          int64   `json:"cancelled" doc:"by the caller"`
	DeadLettered       int64   `json:"dead_lettered" doc:"given up"`
	Invalid            int64   `json:"invalid" doc:"upload lines refused; they are no recipients"`
	PossibleDuplicates int64   `json:"possible_duplicates" doc:"recipients who may have been sent to twice"`
	BillableUnits      int64   `json:"billable_units" doc:"recipients whose message FCM took, or may have taken: sent and ambiguous"`
	CostUSD            float64 `json:"cost_usd" doc:"estimate of what it costs on AWS by list prices, to a billionth of a dollar"`

	Final bool `json:"final" doc:"it will not change any more"`
}

// UsageList is a page of usage, by tenant, day and app.
type UsageList struct {
	Items      []Usage   `json:"items" doc:"the rows"`
	NextCursor string    `json:"next_cursor,omitempty" doc:"absent on the last page"`
	AsOf       time.Time `json:"as_of" doc:"everything accepted until then is in the rows"`
	Complete   bool      `json:"complete" doc:"as_of is at most a minute ago; false while the books are being made"`
}

// UsageFilter says what usage is asked for. The zero value is the caller's own, or of all tenants for
// an operator of the platform, of the last 31 days, a row for each day and app.
type UsageFilter struct {
	Tenant string
	App    string
	Since  string // first UTC day, such as 2030-01-02
	Until  string // the day behind the last one
	Group  string // day, app, or tenant
}

const usagePath = "/v1/usage"

func (f *UsageFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"tenant": f.Tenant, "app": f.App, "since": f.Since, "until": f.Until, "group": f.Group} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// UsagePage returns one page of usage. cursor is "" or the NextCursor of the page before; limit 0 is the
// server's choice.
func (c *Client) UsagePage(ctx context.Context, f UsageFilter, cursor string, limit int) (UsageList, error) {
	q := limited(f.query(), limit)
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var page UsageList
	err := c.do(ctx, get(usagePath, q), &page)
	return page, err
}

// Usage returns usage by tenant, day and app, page by page. An error is the last pair.
func (c *Client) Usage(ctx context.Context, f UsageFilter) iter.Seq2[Usage, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]Usage, string, error) {
		page, err := c.UsagePage(ctx, f, cursor, largestPage)
		return page.Items, page.NextCursor, err
	})
}

// UsageCSV returns all usage that is asked for as CSV with a header. The caller closes it; one that was cut
// ends with an error.
func (c *Client) UsageCSV(ctx context.Context, f UsageFilter) (io.ReadCloser, error) {
	return c.open(ctx, call{method: http.MethodGet, path: usagePath, query: f.query(), accept: "text/csv"})
}
