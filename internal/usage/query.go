package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Group says what one row is about. Every row is of one tenant.
type Group string

// The groups.
const (
	ByDayAndApp Group = ""       // a row for each day and app
	ByDay       Group = "day"    // a row for each day
	ByApp       Group = "app"    // a row for each app
	ByTenant    Group = "tenant" // one row
)

// Groups lists those that have a name.
func Groups() []Group { return []Group{ByDay, ByApp, ByTenant} }

// MaxDays bounds the days that one question is about.
const MaxDays = 400

// Query asks for usage.
type Query struct {
	Tenant string // "": of all tenants
	App    string // "": of all apps
	Since  Day    // the first day
	Until  Day    // the day behind the last one
	Group  Group
}

// Row is what was used.
type Row struct {
	Tenant string
	App    string // "" of several
	Day    Day    // "" of several
	Sums
	// Final says that it never changes: every notification has come to its end, and none has
	// dead-lettered recipients.
	Final bool
}

// Page is a part of an answer.
type Page struct {
	Rows []Row
	Next string // cursor of the next page, "" at the end
	// At is the time up to which everything is in the rows; Complete says that this is when they were
	// asked for, or at most a minute before.
	At       time.Time
	Complete bool
}

// Rows answers a question, page by page: tenants by name, and each one's rows by day and app. A page
// ends with a whole day, or a whole tenant if rows are of several days, once it has limit rows. cursor is
// "" or what the last page returned, else push.ErrCursor. Days on which nothing was accepted have no rows.
//
// It costs a read of a document a day and tenant, and, once a minute at most, what was
// accepted since the walk came by: five minutes' worth.
func (r *Room) Rows(ctx context.Context, q Query, cursor string, limit int) (Page, error) {
	out := Page{At: r.cfg.Now(), Complete: true}
	tenant, from, err := q.place(cursor)
	if err != nil {
		return out, err
	}
	tenants := []string{q.Tenant}
	if q.Tenant == "" {
		if tenants, err = r.tenants(ctx); err != nil {
			return out, err
		}
	}
	for _, t := range tenants {
		if t < tenant {
			continue
		}
		if len(out.Rows) >= limit {
			out.Next = t + "/" + string(q.Since)
			return out, nil
		}
		if t != tenant {
			from = q.Since
		}
		next, err := r.rowsOf(ctx, &out, q, t, from, limit)
		if err != nil {
			return out, fmt.Errorf("usage of %s: %w", t, err)
		}
		if next != "" {
			out.Next = t + "/" + string(next)
			return out, nil
		}
	}
	return out, nil
}

// place reads a cursor: the tenant and the day with which a page begins.
func (q *Query) place(cursor string) (string, Day, error) {
	if cursor == "" {
		return q.Tenant, q.Since, nil
	}
	tenant, date, ok := strings.Cut(cursor, "/")
	at, err := ParseDay(date)
	if !ok || err != nil || q.Tenant != "" && tenant != q.Tenant || at < q.Since {
		return "", "", fmt.Errorf("%w: no page of usage ends there", push.ErrCursor)
	}
	return tenant, at, nil
}

// rowsOf adds a tenant's rows from a day on, and returns the day with which the next page begins.
func (r *Room) rowsOf(ctx context.Context, out *Page, q Query, tenant string, from Day, limit int) (Day, error) {
	k, err := r.recent(ctx, tenant)
	if err != nil {
		return "", err
	}
	if k.at.Before(out.At) {
		out.At = k.at
	}
	out.Complete = out.Complete && k.complete
	all, first := q.Group == ByApp || q.Group == ByTenant, len(out.Rows)
	for _, at := range k.days(from, q.Until) {
		if !all && len(out.Rows) >= limit {
			return at, nil
		}
		sums, final, err := r.of(ctx, tenant, k, at)
		if err != nil {
			return "", err
		}
		for _, app := range slices.Sorted(maps.Keys(sums)) {
			if q.App == "" || q.App == app {
				out.add(q.Group, first, Row{Tenant: tenant, App: app, Day: at, Sums: sums[app], Final: final})
			}
		}
	}
	if q.Group == ByApp {
		slices.SortFunc(out.Rows[first:], func(a, b Row) int { return strings.Compare(a.App, b.App) })
	}
	return "", nil
}

// add adds what an app used on a day to the row among those from first on that it belongs to.
func (p *Page) add(g Group, first int, row Row) {
	if g == ByDay || g == ByTenant {
		row.App = ""
	}
	if g == ByApp || g == ByTenant {
		row.Day = ""
	}
	same := func(o Row) bool { return o.App == row.App && o.Day == row.Day }
	if i := slices.IndexFunc(p.Rows[first:], same); i >= 0 && g != ByDayAndApp {
		p.Rows[first+i].Sums = p.Rows[first+i].Plus(row.Sums)
		p.Rows[first+i].Final = p.Rows[first+i].Final && row.Final
		return
	}
	p.Rows = append(p.Rows, row)
}

// days lists the days within a range that may have usage, ascending.
func (k *recent) days(from, until Day) []Day {
	last := k.book.Day
	first := k.book.First
	for at := range k.tail {
		last = max(last, at)
		if first == "" || at < first {
			first = at
		}
	}
	if first == "" {
		return nil
	}
	var days []Day
	for at := max(from, first); at <= last && at < until; at = at.Next() {
		days = append(days, at)
	}
	return days
}

// tenants lists those that exist, and those that have books, by name.
func (r *Room) tenants(ctx context.Context) ([]string, error) {
	all, err := r.cfg.Tenants(ctx)
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	all = slices.Clone(all)
	const many = 1000
	for cursor := ""; ; {
		books, next, err := r.cfg.Documents.Documents(ctx, kindBook, cursor, many)
		if err != nil {
			return nil, fmt.Errorf("list books: %w", err)
		}
		for i := range books {
			all = append(all, books[i].Name)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Known reports whether a tenant exists or has books.
func (r *Room) Known(ctx context.Context, tenant string) (bool, error) {
	if _, err := r.cfg.Documents.Document(ctx, kindBook, tenant); err == nil || !errors.Is(err, push.ErrNotFound) {
		return err == nil, err
	}
	all, err := r.cfg.Tenants(ctx)
	return slices.Contains(all, tenant), err
}
