package httpapi

import (
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/report"
)

// closeups serve one thing in detail: a notification while it is sent, and a delivery.
type closeups struct {
	reports Closeups
	frames  frames
	traced  bool // the chunks of batches are sent in traces of their own
}

func (c *closeups) routes() []*door.Route {
	const events = "Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). " +
		"`progress` has the body of the GET beside it, a second old at the most, and comes at once and whenever something changes; " +
		"`state` has `{id, state}` and comes when that changes; `done` has the last body and ends the stream. " +
		"Ids grow, in whatever process they are made: with Last-Event-ID the stream begins with how it stands now, never with something older. " +
		"After `done`, connecting again with its id is answered 204, at which an EventSource gives up. " +
		"A comment every 15 s of silence keeps proxies awake. Who does not read for 10 s is cut off; nothing queues up, the newest state is " +
		"what comes next."
	watch := func(path, name, group, about string, prefixes ...string) *door.Route {
		return &door.Route{
			Method: http.MethodGet, Path: path, Name: name,
			Needs: access.PermRead, Group: group, About: about, Detail: events, Events: true,
			Gives: []door.Given{
				{Status: http.StatusOK, About: "Events until it is done.", Types: []string{door.TypeEvents}},
				{Status: http.StatusNoContent, About: "Nothing has happened after the `done` that was received."},
			},
			Codes: []door.Code{door.CodeNotFound}, Run: c.watch(prefixes...),
		}
	}
	return []*door.Route{
		watch("/v1/batches/{id}/events", "watchBatch", groupBatches, "Follow a batch as it is sent.", push.PrefixBatch),
		watch("/v1/notifications/{id}/events", "watchNotification", groupNotifications, "Follow a notification or batch as it is sent.",
			push.PrefixNotification, push.PrefixBatch),
		{
			Method: http.MethodGet, Path: "/v1/notifications/{id}/deliveries/{recipient}", Name: "traceDelivery",
			Needs: access.PermReadPayload, Group: groupNotifications, Audit: door.AuditRead,
			About: "Explain the deliveries of a notification or batch to one recipient: what happened, when, and on what evidence.",
			Detail: "`recipient`, URL-encoded, is a token, an installation id, a device's or a user's id, or says which: `token:…`, `fid:…`, " +
				"`topic:…`, " +
				"`condition:…`, `device:…`, `user:…`; `line:7` is a line of the upload, and `hash:…` an address_hash, with which no token " +
				"gets into a proxy's log. It takes O(log pages) reads for a line, and O(chunks) for anything else.",
			Gives: door.OK(reflect.TypeFor[client.Trace]()), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(c.traceDelivery),
		},
		{
			Method: http.MethodGet, Path: "/v1/notifications/{id}/traces", Name: "traceChosen",
			Needs: access.PermReadPayload, Group: groupNotifications, Audit: door.AuditRead,
			About: "Explain the slowest or the failed deliveries of a notification or batch, with the times of every step and " +
				"the ids of their traces.",
			Detail: "`slowest` takes what is still open, the most often tried first, and then those whose answer came last. " +
				"`failed` takes what has the class permanent, ambiguous, expired or dead_lettered: of each code one, then of each " +
				"a second. It takes O(chunks), like the counts, and for each delivery what explaining it takes.",
			Params: []door.Param{
				{
					Name: "of", About: "Which deliveries.", Kind: door.ParamChoice, Fallback: string(report.ChoiceSlowest),
					Choices: []string{string(report.ChoiceSlowest), string(report.ChoiceFailed)},
				},
				{Name: "limit", About: "How many at most.", Kind: door.ParamInteger, Low: 1, High: report.MaxChosen, Fallback: "5"},
			},
			Gives: door.OK(reflect.TypeFor[client.Trace]()), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(c.traceChosen),
		},
	}
}
