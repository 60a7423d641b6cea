package report_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/ledger"
	"github.com/belfry-push/belfry/internal/ledger/ledgertest"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// archive is a ledger of notifications of many kinds; number i was accepted i/2 seconds
// after the beginning, so that pairs share a time.
func archive(total int) (*ledgertest.Memory, []push.Notification) {
	l := &ledgertest.Memory{}
	states := []push.State{push.StateSending, push.StateCompleted, push.StatePaused, push.StateAccepted, push.StateCancelled}
	var all []push.Notification
	for i := range total {
		prefix := []string{push.PrefixNotification, push.PrefixBatch}[i%2]
		n := push.Notification{
			ID: push.ID(fmt.Sprintf("%s_00000000-0000-0000-0000-%012d", prefix, i)), Tenant: tenant,
			AcceptedAt: began().Add(time.Duration(i/2) * time.Second),
			Sender:     []string{"key:1", "/shop", ""}[i%3], Labels: map[string]string{"n": strconv.Itoa(i % 4)},
			Message:  push.Message(fmt.Sprintf(`{"notification":{"title":"Straße No %d"}}`, i%7)),
			Progress: push.Progress{Version: 1, State: states[i%5], Sources: 1, Pages: 1},
		}
		if i%2 == 0 {
			n.Labels["even"] = ""
		}
		l.PutNotification(n)
		p := ledger.Plan{
			Ref: push.ChunkRef{Notification: n.ID}, Tenant: tenant, Sources: 1, Last: true, Cells: make([]ledger.Cell, 1), Hashes: []uint64{1},
		}
		line := ledger.NewLine(p, n.AcceptedAt)
		if i%3 == 0 { // what is stored as sending, accepted or paused is completed then
			line.Settle(0, push.CodeSent, false)
		}
		l.PutPlan(p)
		l.PutLine(line)
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b push.Notification) int {
		if c := b.AcceptedAt.Compare(a.AcceptedAt); c != 0 {
			return c
		}
		return strings.Compare(string(b.ID), string(a.ID))
	})
	return l, all
}

func began() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }

// found walks a search to its end in pages of limit.
func found(t interface{ Fatalf(string, ...any) }, r *report.Reader, s report.Search, limit int) (ids []push.ID) {
	for cursor := ""; ; {
		page, next, err := r.Notifications(context.Background(), tenant, s, cursor, limit)
		if err != nil || len(page) > limit || next != "" && next == cursor {
			t.Fatalf("%d of %d, cursor %q after %q, %v", len(page), limit, next, cursor, err)
		}
		for i := range page {
			ids = append(ids, page[i].Notification.ID)
		}
		if cursor = next; cursor == "" {
			return ids
		}
	}
}

// Whatever is searched for, all pages together are what a look at each notification finds,
// in the order of the listing.
func TestSearchFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	l, all := archive(450)
	w := open()
	r := w.readerOn(l)
	views := map[push.ID]report.View{}
	for i := range all {
		v, err := r.Notification(t.Context(), tenant, all[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		views[all[i].ID] = v
	}
	rapid.Check(t, func(t *rapid.T) {
		maybe := func(name string, set func()) {
			if rapid.IntRange(0, 2).Draw(t, name) == 0 {
				set()
			}
		}
		var s report.Search
		maybe("labels", func() { s.Labels = append(s.Labels, push.Label{Name: "n", Value: "1", HasValue: true}) })
		maybe("label", func() { s.Labels = append(s.Labels, push.Label{Name: "even"}) })
		maybe("states", func() {
			known := []push.State{push.StateSending, push.StateCompleted, push.StatePaused, push.StateHeld}
			s.States = rapid.SliceOfN(rapid.SampledFrom(known), 1, 2).Draw(t, "of")
		})
		maybe("prefix", func() { s.Prefix = push.PrefixBatch })
		maybe("since", func() { s.Since = began().Add(time.Duration(rapid.IntRange(-1, 230).Draw(t, "since")) * time.Second) })
		maybe("until", func() { s.Until = began().Add(time.Duration(rapid.IntRange(-1, 230).Draw(t, "until")) * time.Second) })
		maybe("sender", func() { s.Sender = "/shop" })
		maybe("title", func() { s.Title = "STRASSE no 3"; s.Title = strings.ReplaceAll(s.Title, "SS", "ß") })
		var want []push.ID
		for i := range all {
			n := &all[i]
			label := func(l push.Label) bool {
				value, ok := n.Labels[l.Name]
				return ok && (!l.HasValue || value == l.Value)
			}
			if !slices.ContainsFunc(s.Labels, func(l push.Label) bool { return !label(l) }) &&
				(len(s.States) == 0 || slices.Contains(s.States, views[n.ID].State)) && strings.HasPrefix(string(n.ID), s.Prefix) &&
				!n.AcceptedAt.Before(s.Since) && (s.Until.IsZero() || n.AcceptedAt.Before(s.Until)) &&
				(s.Sender == "" || n.Sender == s.Sender) && (s.Title == "" || strings.Contains(string(n.Message), "No 3")) {
				want = append(want, n.ID)
			}
		}
		if got := found(t, r, s, rapid.IntRange(1, 120).Draw(t, "limit")); !slices.Equal(got, want) {
			t.Fatalf("%+v: found %d, want %d:\n%v\n%v", s, len(got), len(want), got, want)
		}
	})
}

// The list says what a look at one says: state, recipients and counts.
func TestListAgreesWithOne(t *testing.T) {
	t.Parallel()
	l, all := archive(20)
	r := open().readerOn(l)
	page, _, err := r.Notifications(t.Context(), tenant, report.Search{}, "", 1000)
	if err != nil || len(page) != len(all) {
		t.Fatalf("got %d, %v", len(page), err)
	}
	for i := range page {
		if one, err := r.Notification(t.Context(), tenant, all[i].ID); err != nil || one.State != page[i].State ||
			one.Accepted != page[i].Accepted || one.Counts != page[i].Counts {
			t.Errorf("one is %+v, %v; listed as %+v", one, err, page[i])
		}
	}
}

// A search for something rare ends its answer after two thousand heads, with a cursor that
// goes on, and does not sum lines of what it leaves out.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	l, all := archive(2100)
	sums := 0
	r := open().readerOn(ledgertest.Around{Store: l, Do: func(op string, effect func() error) error {
		if op == "Counts" {
			sums++
		}
		return effect()
	}})
	oldest := all[len(all)-1]
	l.ChangeNotification(oldest.ID, func(n *push.Notification) { n.Labels = map[string]string{"rare": "yes"} })
	s := report.Search{Labels: []push.Label{{Name: "rare"}}}
	page, next, err := r.Notifications(t.Context(), tenant, s, "", 1)
	if err != nil || len(page) != 0 || next == "" || sums != 0 {
		t.Fatalf("got %d, %q, %v; %d sums", len(page), next, err, sums)
	}
	page, next, err = r.Notifications(t.Context(), tenant, s, next, 1)
	if err != nil || len(page) != 1 || page[0].Notification.ID != oldest.ID || next != "" || sums != 1 {
		t.Errorf("got %+v, %q, %v; %d sums", page, next, err, sums)
	}
}

// What is gone by the time that it is looked at is left out; any other failure is one.
func TestListFails(t *testing.T) {
	t.Parallel()
	l, _ := archive(3)
	for _, failing := range []string{"Notifications", "Counts"} {
		r := open().readerOn(ledgertest.Around{Store: l, Do: func(op string, effect func() error) error {
			if op == failing {
				return errAway
			}
			return effect()
		}})
		if _, _, err := r.Notifications(t.Context(), tenant, report.Search{}, "", 10); !errors.Is(err, errAway) {
			t.Errorf("%s fails: %v", failing, err)
		}
	}
}
