package httpapi

import (
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
)

// closeupRoutes look at one thing: a notification while it happens, and a
// delivery in all detail.
func (a *api) closeupRoutes() []*route {
	const events = "Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). " +
		"`progress` has the body of the GET beside it, a second old at the most, and comes at once and whenever something changes; " +
		"`state` has `{id, state}` and comes when that changes; `done` has the last body and ends the stream. " +
		"Ids grow, in whatever process they are made: with Last-Event-ID the stream begins with how it stands now, never with something older. " +
		"After `done`, connecting again with its id is answered 204, at which an EventSource gives up. " +
		"A comment every 15 s of silence keeps proxies awake. Who does not read for 10 s is cut off; nothing queues up, the newest state is what comes next."
	watch := func(path, name, group, about string, prefixes ...string) *route {
		return &route{
			method: http.MethodGet, path: path, name: name, group: group, about: about, detail: events, events: true,
			gives: []given{
				{http.StatusOK, "Events until it is done.", []string{typeEvents}, nil, false},
				{status: http.StatusNoContent, about: "Nothing has happened after the `done` that was received."},
			},
			codes: []code{codeNotFound}, run: a.watch(prefixes...),
		}
	}
	return []*route{
		watch("/v1/batches/{id}/events", "watchBatch", "batches", "Follow a batch as it is sent.", push.PrefixBatch),
		watch("/v1/notifications/{id}/events", "watchNotification", "notifications", "Follow a notification or batch as it is sent.", push.PrefixNotification, push.PrefixBatch),
		{
			method: http.MethodGet, path: "/v1/notifications/{id}/deliveries/{recipient}", name: "traceDelivery", group: "notifications",
			about: "Explain the deliveries of a notification or batch to one recipient: what happened, when, and on what evidence.",
			detail: "`recipient`, URL-encoded, is a token, an installation id, a device's or a user's id, or says which: `token:…`, `fid:…`, `topic:…`, " +
				"`condition:…`, `device:…`, `user:…`; `line:7` is a line of the upload, and `hash:…` an address_hash, with which no token " +
				"gets into a proxy's log. It takes O(log pages) reads for a line, and O(chunks) for anything else.",
			gives: ok(reflect.TypeFor[client.Trace]()), codes: []code{codeNotFound},
			run: replying(a.traceDelivery),
		},
	}
}
