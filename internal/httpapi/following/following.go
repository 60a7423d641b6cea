// Package following is the route by which people follow what happens, as server-sent events.
package following

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
	"github.com/belfry-push/belfry/internal/tail"
)

// Hub is where what happens is told. Safe for concurrent use.
type Hub interface {
	Listen(ctx context.Context, sight tail.Sight, f tail.Filter, from string) (*tail.Listener, error)
}

var _ Hub = (*tail.Hub)(nil)

const (
	// heartbeatEvery bounds how long a stream is silent. Load balancers cut connections that are silent for a minute.
	heartbeatEvery = 15 * time.Second
	// retryHint is how long clients should wait before they connect again after a break.
	retryHint = time.Second
	// warmPatience is how long a stream may take to begin: the store is read once.
	warmPatience = 5 * time.Second
)

// Routes returns the route of what happens.
func Routes(hub Hub) []*door.Route {
	var classes []string
	for _, c := range push.Classes() {
		if c != push.ClassOpen {
			classes = append(classes, c.String())
		}
	}
	kinds := make([]string, 0, len(tail.Kinds()))
	for _, k := range tail.Kinds() {
		kinds = append(kinds, string(k))
	}
	text := func(name, about string) door.Param {
		return door.Param{Name: name, About: about, High: door.MaxText, Many: true}
	}
	return []*door.Route{{
		Method: http.MethodGet, Path: "/v1/events", Name: "tailEvents", Needs: access.PermRead, Group: describe.GroupStatus,
		Audit: door.AuditByMethod, Events: true,
		About: "Follow what happens, as it happens: what is accepted, outcomes, breakers, batches, replays, the audit log.",
		Detail: "Server-sent events. The name of each is its kind, its data the CloudEvent as it is published, in the words of " +
			"docs/events.md, without users. `accepted`, `changed` and `audit` are told here only. A key sees its own tenant's, one that is " +
			"limited to an app that app's, and with the permission `platform` everybody's and what belongs to no tenant. `audit` needs the " +
			"permission `audit`, `quarantined` needs `read_devices`; without them, and not asked for, they are left out.\n\n" +
			"It begins now, or with Last-Event-ID behind that event: any server of the installation goes on from there, for about two minutes " +
			"after the last listener left. `gap` says that events are missing, with `{\"events\": n}`, or null if nobody counted them: who does " +
			"not read in time, comes back too late, or follows more than is kept, loses the oldest. What happens in other processes comes some " +
			"two seconds later; order holds for one process. It is for looking: the ledger and the audit log are the truth.",
		Params: []door.Param{
			{
				Name: "type", About: "Only this type, or one of these if it is given several times.", Kind: door.ParamChoice, Choices: kinds,
				Many: true,
			},
			{Name: "tenant", About: "Only this tenant's; any but the key's own is for the operator's key.", High: push.MaxName},
			{Name: "app", About: "Only this app's.", High: push.MaxName},
			text("id", "Only of this notification, batch or replay, or of one of these; entries of the audit log about it, too."),
			text("label", "Only with this label: `name=value`, or `name` with any value. Given several times, all must be there."),
			text("code", "Only with this outcome code, or one of this family, such as `fcm`; or with this code of a problem, of the audit log."),
			{Name: "class", About: "Only with an outcome of this class, or of one of these.", Kind: door.ParamChoice, Choices: classes, Many: true},
		},
		Gives: []door.Given{{
			Status: http.StatusOK, About: "Events, without end.", Types: []string{door.TypeEvents},
			Event: describe.TailEvent, Sample: describe.SampleTail(),
		}},
		Codes: []door.Code{door.CodeForbidden},
		Run:   (&handler{hub}).follow,
	}}
}

type handler struct{ hub Hub }

func (h *handler) follow(ctx context.Context, x *door.Exchange) error {
	sight, f, err := chosen(x)
	if err != nil {
		return err
	}
	warm, cancel := context.WithTimeout(ctx, warmPatience)
	defer cancel()
	l, err := h.hub.Listen(warm, sight, f, x.Request.Header.Get("Last-Event-ID"))
	switch {
	case errors.Is(err, tail.ErrStopped):
		return door.Refuse(door.CodeUnavailable, "the server is shutting down: try again").With("Retry-After", "1")
	case errors.Is(err, tail.ErrCrowded):
		return door.Refuse(door.CodeUnavailable, "%s: try again later", tail.ErrCrowded).With("Retry-After", "10")
	case err != nil && ctx.Err() == nil:
		return door.Refuse(door.CodeUnavailable, "what happened before cannot be read: try again").With("Retry-After", "5").By(err)
	case err != nil:
		return err
	}
	defer l.Close()
	(&stream{EventStream: x.EventStream(), head: x.Request.Method == http.MethodHead}).run(ctx, l)
	return nil
}

// chosen returns what the caller may see and what it asks for.
func chosen(x *door.Exchange) (tail.Sight, tail.Filter, error) {
	q := &x.Query
	s := tail.Sight{All: x.Who.Can(access.PermPlatform) && x.Who.App == "", Tenant: x.Tenant, App: x.Who.App}
	for _, k := range tail.Kinds() {
		if x.Who.Can(k.Needs()) {
			s.Kinds = append(s.Kinds, k)
		}
	}
	f := tail.Filter{Tenant: q.Text("tenant"), App: q.Text("app"), IDs: q.Texts("id"), Codes: q.Texts("code")}
	labels, err := checked(q)
	if err != nil {
		return s, f, err
	}
	f.Labels = labels
	if f.Tenant != "" && f.Tenant != x.Tenant && !s.All {
		return s, f, door.Refuse(door.CodeForbidden, "this key sees its own tenant's events only: leave tenant out")
	}
	if f.App != "" && s.App != "" && f.App != s.App {
		return s, f, door.Refuse(door.CodeForbidden, "this key is limited to the app %s: leave app out", s.App)
	}
	for _, name := range q.Texts("type") {
		k := tail.Kind(name)
		if !slices.Contains(s.Kinds, k) {
			return s, f, door.Refuse(door.CodeForbidden, "events of the kind %s need the permission %s, which this key does not have", k, k.Needs())
		}
		f.Kinds = append(f.Kinds, k)
	}
	for _, name := range q.Texts("class") {
		for _, c := range push.Classes() {
			if c.String() == name {
				f.Classes = append(f.Classes, c)
			}
		}
	}
	return s, f, nil
}

// checked returns the labels that are asked for. Values that no event can have are faults: whoever waits for them would wait
// for ever.
func checked(q *door.Query) ([]push.Label, error) {
	var faults push.Faults
	fault := func(name, detail string) {
		faults = append(faults, push.Fault{Pointer: "?" + name, Code: push.FaultValue, Detail: detail})
	}
	for _, name := range []string{"tenant", "app"} {
		if why := push.CheckName(q.Text(name)); q.Has(name) && why != "" {
			fault(name, why+"; there are no wildcards: leave it out for all")
		}
	}
	for _, id := range q.Texts("id") {
		if _, err := push.ParseID(id, push.PrefixNotification, push.PrefixBatch, push.PrefixReplay); err != nil {
			fault("id", err.Error())
		}
	}
	for _, code := range q.Texts("code") {
		if known := codes(); !slices.Contains(known, code) && !door.CodeNamed(code) {
			fault("code", fmt.Sprintf("%q is neither an outcome code nor a family of them, such as fcm%s", push.Clip(code),
				strict.DidYouMean(code, known)))
		}
	}
	var labels []push.Label
	for _, text := range q.Texts("label") {
		l := push.ParseLabel(text)
		if l.Name == "" {
			fault("label", "must be name=value, or name")
		}
		labels = append(labels, l)
	}
	return labels, faults.Err()
}

// codes are the codes of outcomes and answers, and the families of those.
func codes() (all []string) {
	for _, c := range push.Codes() {
		if family, _, ok := strings.Cut(c.Name, "."); ok && !slices.Contains(all, family) {
			all = append(all, family)
		}
		all = append(all, c.Name)
	}
	return all
}

// stream is one open stream.
type stream struct {
	*door.EventStream

	head bool
	told string // position that the client has
}

// run writes what comes until the client or the server is gone.
func (s *stream) run(ctx context.Context, l *tail.Listener) {
	defer s.End()
	if s.head {
		return
	}
	s.Say([]byte("retry: " + strconv.FormatInt(retryHint.Milliseconds(), 10) + "\n\n"))
	silence := time.NewTimer(heartbeatEvery)
	defer silence.Stop()
	beat := true // the first says where it begins
	for {
		items, pos, err := l.Take()
		for i := range items {
			s.item(&items[i])
		}
		if (beat || len(items) > 0) && pos != s.told { // an id alone: a client goes on from there, and is told nothing
			s.Say([]byte("id: " + pos + "\n\n"))
			s.told = pos
		} else if beat {
			s.Say([]byte(":\n\n"))
		}
		if err != nil {
			s.Say([]byte(": come back\n\n"))
			s.Flush()
			return
		}
		if !s.Flush() {
			return
		}
		if beat || len(items) > 0 {
			silence.Reset(heartbeatEvery)
		}
		beat = false
		select {
		case <-ctx.Done():
			return
		case <-l.Changed():
		case <-silence.C:
			beat = true
		}
	}
}

func (s *stream) item(it *tail.Item) {
	if it.Position != "" && it.Position != s.told {
		s.Say([]byte("id: " + it.Position + "\n"))
		s.told = it.Position
	}
	if !it.Gap {
		s.Say([]byte("event: " + string(it.Kind) + "\ndata: "))
		s.Say(it.Body)
		s.Say([]byte("\n\n"))
		return
	}
	events := "null"
	if it.Lost >= 0 {
		events = strconv.FormatInt(it.Lost, 10)
	}
	s.Say([]byte("event: " + string(client.TailGap) + "\ndata: {\"events\":" + events + "}\n\n"))
}
