package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// notifications serve what is accepted, whole or as a batch, and its events.
type notifications struct {
	acceptance

	reports    Reports
	lifecycle  Lifecycle
	deliveries deliveries
}

func (n *notifications) listNotifications(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	search, err := searched(&x.Query)
	if err != nil {
		return door.Reply{}, err
	}
	if app := x.Who.App; app != "" {
		if search.App != "" && search.App != app {
			return door.Reply{}, door.Refuse(door.CodeForbidden, "this key is limited to the app %s: leave app out", app)
		}
		search.App = app
	}
	items, next, err := n.reports.Notifications(ctx, x.Tenant, search, x.Query.Text("cursor"), int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	list := client.NotificationList{Items: make([]client.Notification, len(items)), NextCursor: next}
	for i := range items {
		list.Items[i] = fullView(&items[i], x.Now())
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

// The kinds of notification that a listing can be narrowed to.
const (
	kindNotification = "notification"
	kindBatch        = "batch"
)

// searchParams are the query parameters by which notifications are chosen.
func searchParams() []door.Param {
	states := client.States()
	names := make([]string, 0, len(states))
	for _, s := range states {
		if s != client.StateValid { // nothing that was recorded is in it
			names = append(names, string(s))
		}
	}
	return []door.Param{
		{
			Name: "label", About: "Only those with this label: `name=value`, or `name` with any value. Given several times, all must be there.",
			High: door.MaxText, Many: true,
		},
		{
			Name: "state", About: "Only those in this state, or in one of these if it is given several times.", Kind: door.ParamChoice,
			Choices: names, Many: true,
		},
		{
			Name: "kind", About: "Only single notifications, or only batches.", Kind: door.ParamChoice,
			Choices: []string{kindNotification, kindBatch},
		},
		{Name: "since", About: "Only those accepted at this time (RFC 3339) or later.", High: door.MaxText},
		{Name: "until", About: "Only those accepted before this time.", High: door.MaxText},
		{Name: "sender", About: "Only those that this `sender` asked for, exactly as it is shown.", High: door.MaxText},
		{Name: "app", About: "Only those of this app.", High: push.MaxName},
		{Name: "title", About: "Only those with this text in their title, in capitals or not.", High: door.MaxText},
	}
}

// searched returns the search that the parameters of [searchParams] give.
func searched(q *door.Query) (report.Search, error) {
	s := report.Search{Sender: q.Text("sender"), App: q.Text("app"), Title: q.Text("title")}
	var faults push.Faults
	fault := func(name, detail string) {
		faults = append(faults, push.Fault{Pointer: "?" + name, Code: push.FaultValue, Detail: detail})
	}
	at := func(name string) time.Time {
		if !q.Has(name) {
			return time.Time{}
		}
		t, err := time.Parse(time.RFC3339, q.Text(name))
		if err != nil {
			fault(name, "must be a time such as 2030-01-02T15:04:05Z")
		}
		return t.UTC()
	}
	s.Since, s.Until = at("since"), at("until")
	if !s.Since.IsZero() && !s.Until.IsZero() && !s.Since.Before(s.Until) {
		fault("until", "must be later than since: nothing is in between")
	}
	for _, text := range q.Texts("label") {
		l := push.ParseLabel(text)
		if l.Name == "" {
			fault("label", "must be name=value, or name")
		}
		s.Labels = append(s.Labels, l)
	}
	for _, state := range q.Texts("state") {
		s.States = append(s.States, push.State(state))
	}
	switch q.Text("kind") {
	case kindNotification:
		s.Prefix = push.PrefixNotification
	case kindBatch:
		s.Prefix = push.PrefixBatch
	}
	return s, faults.Err()
}

// showWhole shows a notification with its counts and the message that it sends.
func showWhole(reports Reports, prefixes ...string) door.Handler {
	return func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
		id, err := x.PathID(prefixes...)
		if err != nil {
			return door.Reply{}, err
		}
		v, err := reports.Notification(ctx, x.Tenant, id)
		if err != nil {
			return door.Reply{}, err
		}
		view := fullView(&v, x.Now())
		if x.Who.Can(access.PermReadPayload) {
			view.Message = json.RawMessage(v.Notification.Message)
		}
		return door.Reply{Status: http.StatusOK, Body: view}, nil
	}
}
