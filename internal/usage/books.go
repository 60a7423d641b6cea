package usage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// The kinds of the documents.
const (
	kindBook = "usage"      // name: the tenant
	kindDay  = "usage-day"  // name: tenant/2030-01-02
	kindList = "usage-list" // name: tenant/2030-01-02/7
)

// Day is a UTC day in the form 2030-01-02, so that days compare as text.
type Day string

// DayOf returns the UTC day of a time.
func DayOf(t time.Time) Day { return Day(t.UTC().Format(time.DateOnly)) }

// ParseDay reads a day.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	return DayOf(t), err
}

// To returns how many days lie from d to another, which may be before it.
func (d Day) To(o Day) int {
	const hours = 24
	return int(o.begin().Sub(d.begin()).Hours() / hours)
}

// begin returns the first moment of the day.
func (d Day) begin() time.Time {
	t, _ := time.Parse(time.DateOnly, string(d)) // was made by DayOf
	return t
}

// end returns the first moment of the next day.
func (d Day) end() time.Time { return d.begin().AddDate(0, 0, 1) }

// Next returns the day after.
func (d Day) Next() Day { return DayOf(d.end()) }

// book is a tenant's: where its days are. It says only what can be found out otherwise, so that it may
// be behind: days before Day are walked to their end.
type book struct {
	First Day `json:"first,omitempty"` // of the oldest notification that was there at the first walk; "" if there was none
	Day   Day `json:"day,omitempty"`   // the day that is walked
	// Open are the days before Day that are not closed, ascending.
	Open []Day `json:"open,omitempty"`

	version int64
}

// day is a day of a tenant.
type day struct {
	// At and ID are the place up to which notifications are in Apps.
	At time.Time `json:"at"`
	ID push.ID   `json:"id,omitempty"`
	// Walked says that no notification of the day can follow.
	Walked bool            `json:"walked,omitempty"`
	Apps   map[string]Sums `json:"apps,omitempty"`
	// Lists name what may change, those looked at least recently first. The documents of Gone
	// were lists, and Next is a number that no list has had.
	Lists []listed `json:"lists,omitempty"`
	Gone  []int    `json:"gone,omitempty"`
	Next  int      `json:"next,omitempty"`

	version int64
}

// listed is a list as its day names it.
type listed struct {
	Number int   `json:"n"`
	At     int64 `json:"at"` // when it was summed, in Unix seconds
}

// closed reports whether the day never changes any more.
func (d *day) closed() bool { return d.Walked && len(d.Lists) == 0 }

// beyond reports whether a notification is in the sums, if it is one of that day.
func (d *day) beyond(at time.Time, id push.ID) bool {
	return d.Walked || d.At.After(at) || d.At.Equal(at) && d.ID >= id
}

// add adds sums to an app's.
func (d *day) add(app string, s Sums) {
	if d.Apps == nil {
		d.Apps = map[string]Sums{}
	}
	d.Apps[app] = d.Apps[app].Plus(s)
}

// entry is a notification on a list, with the sums that it has in its day.
type entry struct {
	ID       push.ID `json:"id"`
	App      string  `json:"app"`
	Revision int64   `json:"rev"` // of its counts
	Sums     Sums    `json:"sums"`
}

func dayName(tenant string, d Day) string { return tenant + "/" + string(d) }

func listName(tenant string, d Day, n int) string { return dayName(tenant, d) + "/" + strconv.Itoa(n) }

// load reads a document; one that is absent has version 0 and leaves into as it is.
func (r *Room) load(ctx context.Context, kind, name string, into any) (int64, error) {
	version, err := document.Load(ctx, r.cfg.Documents, kind, name, into)
	if errors.Is(err, push.ErrNotFound) {
		return 0, nil
	}
	return version, err
}

func (r *Room) book(ctx context.Context, tenant string) (b book, err error) {
	b.version, err = r.load(ctx, kindBook, tenant, &b)
	return b, err
}

func (r *Room) saveBook(ctx context.Context, tenant string, b *book) error {
	return document.Save(ctx, r.cfg.Documents, kindBook, tenant, b.version+1, b, r.cfg.Now())
}

// day reads a day; one without a document begins.
func (r *Room) day(ctx context.Context, tenant string, at Day) (d day, err error) {
	d.At = at.begin()
	d.version, err = r.load(ctx, kindDay, dayName(tenant, at), &d)
	return d, err
}

// saveDay stores a day on condition that nobody has since it was read.
func (r *Room) saveDay(ctx context.Context, tenant string, at Day, d *day) error {
	return document.Save(ctx, r.cfg.Documents, kindDay, dayName(tenant, at), d.version+1, d, r.cfg.Now())
}

// saveList stores what may change under a number that no list has had, and has the day name it, which
// the caller saves next. A number that is taken is of somebody who was killed, or is about to lose:
// its document goes when the day is saved.
func (r *Room) saveList(ctx context.Context, tenant string, at Day, d *day, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	now := r.cfg.Now()
	for {
		n := d.Next
		d.Next++
		switch err := document.Save(ctx, r.cfg.Documents, kindList, listName(tenant, at, n), 1, entries, now); {
		case err == nil:
			d.Lists = append(d.Lists, listed{Number: n, At: now.Unix()})
			return nil
		case !errors.Is(err, push.ErrConflict):
			return err
		}
		d.Gone = append(d.Gone, n)
	}
}

func (r *Room) list(ctx context.Context, tenant string, at Day, n int) (entries []entry, err error) {
	if _, err = document.Load(ctx, r.cfg.Documents, kindList, listName(tenant, at, n), &entries); err != nil {
		return nil, fmt.Errorf("list %d of %s: %w", n, dayName(tenant, at), err)
	}
	return entries, nil
}

// tidy removes the documents of lists that the stored day does not name any more.
func (r *Room) tidy(ctx context.Context, tenant string, at Day, d *day) error {
	for _, n := range d.Gone {
		err := r.cfg.Documents.DeleteDocument(ctx, kindList, listName(tenant, at, n), 1)
		if err != nil && !errors.Is(err, push.ErrNotFound) {
			return fmt.Errorf("remove list %d of %s: %w", n, dayName(tenant, at), err)
		}
	}
	d.Gone = nil
	return nil
}
