package httpapi

import (
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

func (n *notifications) routes() []*door.Route {
	const group, one = groupNotifications, "/v1/notifications/{id}"
	request, view := reflect.TypeFor[client.Request](), reflect.TypeFor[client.Notification]()
	return []*door.Route{
		{
			Method: http.MethodPost, Path: "/v1/notifications", Name: "createNotification", Needs: access.PermSend, Group: group,
			About: "Accept a notification for at most 1,000 recipients.",
			Detail: "The answer comes when the notification is durable. With `validate_only` nothing is recorded or sent, and the answer is 200 " +
				"with the state `valid`, no id, the message as it would go out, and a `preview`: whom it would go to, how large it is, and what " +
				"was not checked. That costs look-ups as planning it does: one of each of the at most 1,000 names, and one of each device.",
			Once: door.KeyByIntake, Takes: []string{door.TypeJSON}, Body: request,
			Gives: []door.Given{
				{Status: http.StatusAccepted, About: "Accepted.", Types: []string{door.TypeJSON}, Of: view, Located: true},
				{
					Status: http.StatusOK, About: "Valid; nothing was accepted, as validate_only asks.", Types: []string{door.TypeJSON}, Of: view,
					Sample: describe.SampleValid(),
				},
			},
			Run: door.Replying(n.createNotification),
		},
		{
			Method: http.MethodGet, Path: "/v1/notifications", Name: "listNotifications", Needs: access.PermRead, Group: group,
			About: "List notifications and batches, newest first.",
			Detail: "Each item is what its own GET answers, but for the message. What is given must all hold. Only the time is indexed: the " +
				"listing begins at `until`, ends at `since`, and looks at what is in between one after the other, at most at 2,000 for one answer. " +
				"So a page may have fewer items than `limit`, also none; there are more as long as there is a `next_cursor`. An item costs a query " +
				"over its chunks, as its GET does. Give the same parameters with the cursor.",
			Params: append(door.PageParams(), searchParams()...),
			Gives: []door.Given{
				{Status: http.StatusOK, About: "A page.", Types: []string{door.TypeJSON}, Of: reflect.TypeFor[client.NotificationList]()},
			},
			Run: door.Replying(n.listNotifications),
		},
		{
			Method: http.MethodGet, Path: one, Name: "getNotification", Needs: access.PermRead, Group: group, Audit: door.AuditRead,
			About: "Show a notification or batch, with counts that add up and the message that it sends.",
			Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(showWhole(n.reports, push.PrefixNotification, push.PrefixBatch)),
		},
		{
			Method: http.MethodGet, Path: one + "/deliveries", Name: "listDeliveries", Needs: access.PermReadPayload, Group: group,
			Audit: door.AuditRead,
			About: "List the deliveries of a notification or batch, one row per recipient.",
			Detail: "As NDJSON, when Accept names it, all rows from the cursor on are streamed; `limit` then bounds their number and has no " +
				"default.",
			Params: append(door.PageParams(), views.OutcomeParams()...),
			Gives: []door.Given{
				{
					Status: http.StatusOK, About: "A page; as NDJSON, all rows.", Types: []string{door.TypeJSON},
					Of: reflect.TypeFor[client.DeliveryList](),
				},
				{Status: http.StatusOK, Types: []string{door.TypeNDJSON}, Of: reflect.TypeFor[client.Delivery]()},
			},
			Codes: []door.Code{door.CodeNotFound},
			Run:   n.deliveries.listDeliveries,
		},
		{
			Method: http.MethodPost, Path: one + "/cancel", Name: "cancelNotification", Needs: access.PermManage, Group: group,
			About: "Cancel what is still open of a notification or batch.",
			Once:  door.KeyByStore, Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound, door.CodeState, door.CodeConflict},
			Run: door.Replying(door.Once(idempotency.Lease, move(n.lifecycle.Cancel, push.PrefixNotification, push.PrefixBatch))),
		},
		{
			Method: http.MethodPost, Path: one + "/pause", Name: "pauseNotification", Needs: access.PermManage, Group: group,
			About: "Stop sending a notification or batch until it is resumed.",
			Detail: "What FCM is being asked at this moment still gets its answer, and `expires_at` does not move. A resume goes on where it " +
				"stopped.",
			Once: door.KeyByStore, Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound, door.CodeState, door.CodeConflict},
			Run: door.Replying(door.Once(idempotency.Lease, move(n.lifecycle.Pause, push.PrefixNotification, push.PrefixBatch))),
		},
		resumeRoute(n.lifecycle, &door.Route{
			Method: http.MethodPost, Path: one + "/resume", Name: "resumeNotification", Needs: access.PermManage, Group: group,
			About: "Go on with a notification or batch that is held or paused.",
			Once:  door.KeyByStore, Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound, door.CodeState, door.CodeConflict},
		}, push.PrefixNotification, push.PrefixBatch),
		{
			Method: http.MethodPost, Path: "/v1/events", Name: "publishEvent", Needs: access.PermSend, Group: group,
			About:  "Accept a notification as a CloudEvent in structured JSON mode.",
			Detail: "`data` is the body of `POST /v1/notifications`. `source` and `id` together are the idempotency key; the header is not used.",
			Takes:  []string{typeEvent, door.TypeJSON}, Body: reflect.TypeFor[event](),
			Gives: []door.Given{
				{Status: http.StatusAccepted, About: "Accepted.", Types: []string{door.TypeJSON}, Of: view, Located: true},
				{
					Status: http.StatusOK, About: "Valid; nothing was accepted, as validate_only asks.", Types: []string{door.TypeJSON}, Of: view,
					Sample: describe.SampleValid(),
				},
			},
			Codes: []door.Code{door.CodeKeyReused},
			Run:   door.Replying(n.publishEvent),
		},
	}
}
