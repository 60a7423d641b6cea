package httpapi

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// table is the API, in the order in which the document shows it.
func (a *api) table() []*route {
	return slices.Concat(a.notificationRoutes(), a.batchRoutes(), a.closeupRoutes(), a.deviceRoutes(), a.deadLetterRoutes(), a.operatorRoutes())
}

func (a *api) notificationRoutes() []*route {
	const group, one = "notifications", "/v1/notifications/{id}"
	request, view := reflect.TypeFor[client.Request](), reflect.TypeFor[client.Notification]()
	return []*route{
		{
			method: http.MethodPost, path: "/v1/notifications", name: "createNotification", group: group,
			about:  "Accept a notification for at most 1,000 recipients.",
			detail: "The answer comes when the notification is durable. With `validate_only` nothing is recorded, and the answer is 200 with the state `valid`, no id, and the message as it would go out.",
			once:   keyByIntake, takes: []string{typeJSON}, body: request,
			gives: []given{
				{http.StatusAccepted, "Accepted.", []string{typeJSON}, view, true},
				{http.StatusOK, "Valid; nothing was accepted, as validate_only asks.", []string{typeJSON}, view, false},
			},
			run: replying(a.createNotification),
		},
		{
			method: http.MethodGet, path: "/v1/notifications", name: "listNotifications", group: group,
			about:  "List notifications and batches, newest first, without counts.",
			params: pageParams(),
			gives:  []given{{http.StatusOK, "A page.", []string{typeJSON}, reflect.TypeFor[client.NotificationList](), false}},
			run:    replying(a.listNotifications),
		},
		{
			method: http.MethodGet, path: one, name: "getNotification", group: group,
			about: "Show a notification or batch, with counts that add up.",
			gives: ok(view), codes: []code{codeNotFound},
			run: replying(a.getNotification),
		},
		{
			method: http.MethodGet, path: one + "/deliveries", name: "listDeliveries", group: group,
			about:  "List the deliveries of a notification or batch, one row per recipient.",
			detail: "As NDJSON, when Accept names it, all rows from the cursor on are streamed; `limit` then bounds their number and has no default.",
			params: append(pageParams(), filterParams()...),
			gives: []given{
				{http.StatusOK, "A page; as NDJSON, all rows.", []string{typeJSON}, reflect.TypeFor[client.DeliveryList](), false},
				{http.StatusOK, "", []string{typeNDJSON}, reflect.TypeFor[client.Delivery](), false},
			},
			codes: []code{codeNotFound},
			run:   a.listDeliveries,
		},
		{
			method: http.MethodPost, path: one + "/cancel", name: "cancelNotification", group: group,
			about: "Cancel what is still open of a notification or batch.",
			once:  keyByStore, gives: ok(view), codes: []code{codeNotFound, codeState, codeConflict},
			run: replying(a.once(idempotency.Lease, a.move(a.cfg.Batches.Cancel, push.PrefixNotification, push.PrefixBatch))),
		},
		{
			method: http.MethodPost, path: "/v1/events", name: "publishEvent", group: group,
			about:  "Accept a notification as a CloudEvent in structured JSON mode.",
			detail: "`data` is the body of `POST /v1/notifications`. `source` and `id` together are the idempotency key; the header is not used.",
			takes:  []string{typeEvent, typeJSON}, body: reflect.TypeFor[event](),
			gives: []given{
				{http.StatusAccepted, "Accepted.", []string{typeJSON}, view, true},
				{http.StatusOK, "Valid; nothing was accepted, as validate_only asks.", []string{typeJSON}, view, false},
			},
			codes: []code{codeKeyReused},
			run:   replying(a.publishEvent),
		},
	}
}

func (a *api) batchRoutes() []*route {
	const group, one = "batches", "/v1/batches/{id}"
	view := reflect.TypeFor[client.Notification]()
	verb := func(path, name, about string, op operation) *route {
		return &route{
			method: http.MethodPost, path: one + path, name: name, group: group, about: about,
			once: keyByStore, gives: ok(view), codes: []code{codeNotFound, codeState, codeConflict},
			run: replying(a.once(idempotency.Lease, a.move(op, push.PrefixBatch))),
		}
	}
	return []*route{
		{
			method: http.MethodPost, path: "/v1/batches", name: "createBatch", group: group,
			about: "Create a batch: a notification whose recipients are uploaded.",
			once:  keyByIntake, takes: []string{typeJSON}, body: reflect.TypeFor[client.Request](),
			gives: []given{{http.StatusCreated, "Created; upload recipients to upload_url, then start it.", []string{typeJSON}, view, true}},
			run:   replying(a.createBatch),
		},
		{
			method: http.MethodGet, path: one, name: "getBatch", group: group,
			about: "Show a batch, with counts that add up, its rate and an estimate of when it is done.",
			gives: ok(view), codes: []code{codeNotFound},
			run: replying(a.getBatch),
		},
		{
			method: http.MethodPost, path: one + "/recipients", name: "uploadRecipients", group: group,
			about: "Upload recipients, one JSON object or CSV record a line, any number of lines.",
			detail: uploadDetail + "With `offset`, the number of the first line, an upload can be repeated or resumed: lines that are durable already are skipped, " +
				"so it needs no Idempotency-Key and ignores one. Without it the lines are appended; then an Idempotency-Key makes a repeat " +
				"harmless: it gets the first answer, even if that says that the upload broke off.",
			once: keyByStore, params: uploadParams(), takes: append(ndjsonTypes(), typeCSV), body: reflect.TypeFor[recipient](),
			gives: []given{{http.StatusOK, "What was kept and what was refused.", []string{typeJSON}, reflect.TypeFor[client.UploadResult](), false}},
			codes: []code{codeNotFound, codeState, codeConflict, codeGap, codeRefused},
			run:   unhurried(a.uploadRecipients()),
		},
		a.startRoute(verb("/start", "startBatch", "Declare the upload finished and start sending.", a.cfg.Batches.Start)),
		verb("/pause", "pauseBatch", "Stop sending until it is resumed.", a.cfg.Batches.Pause),
		verb("/resume", "resumeBatch", "Go on sending.", a.cfg.Batches.Resume),
		verb("/cancel", "cancelBatch", "Cancel what is still open.", a.cfg.Batches.Cancel),
		{
			method: http.MethodGet, path: one + "/report", name: "reportBatch", group: group,
			about: "Stream the deliveries of a batch as NDJSON, one line per recipient, and the upload lines that were refused.",
			detail: "Behind the deliveries comes a row of the class `invalid` for every refused line: `code` says what kind of fault it has, `pointer` " +
				"where, and `detail` why. `class=invalid` streams these alone; with any other filter they are left out.",
			params: reportParams(),
			gives:  []given{{http.StatusOK, "All rows.", []string{typeNDJSON}, reflect.TypeFor[client.Delivery](), false}},
			codes:  []code{codeNotFound},
			run:    a.reportBatch,
		},
	}
}

func (a *api) deviceRoutes() []*route {
	const group, one = "devices", "/v1/devices/{device_id}"
	view := reflect.TypeFor[client.Device]()
	return []*route{
		{
			method: http.MethodPut, path: one, name: "putDevice", group: group,
			about: "Register a device, or replace all of its registration.",
			takes: []string{typeJSON}, body: view, gives: ok(view),
			run: replying(a.putDevice),
		},
		{
			method: http.MethodGet, path: one, name: "getDevice", group: group,
			about: "Show a device.", gives: ok(view), codes: []code{codeNotFound},
			run: replying(a.getDevice),
		},
		{
			method: http.MethodDelete, path: one, name: "deleteDevice", group: group,
			about: "Remove a device.",
			gives: []given{{status: http.StatusNoContent, about: "Removed."}}, codes: []code{codeNotFound},
			run: replying(a.deleteDevice),
		},
		{
			method: http.MethodGet, path: "/v1/devices", name: "listDevices", group: group,
			about:  "List devices, all or one user's.",
			params: append(pageParams(), param{name: "user_id", about: "Only this user's devices.", high: maxTextParam}),
			gives:  ok(reflect.TypeFor[client.DeviceList]()),
			run:    replying(a.listDevices),
		},
		{
			method: http.MethodPost, path: "/v1/devices/import", name: "importDevices", group: group,
			about: "Register many devices, one JSON object a line, any number of lines.",
			detail: "A line without an `id` is about the device at its address. Importing the same lines again changes nothing. An Idempotency-Key " +
				"gets the first answer again; the body of a repeat is not read, so it cannot be told apart from another.",
			once: keyByStore, takes: ndjsonTypes(), body: view,
			gives: ok(reflect.TypeFor[client.ImportResult]()),
			run:   unhurried(a.once(idempotency.Lease, a.importDevices)),
		},
		{
			method: http.MethodPost, path: one + "/restore", name: "restoreDevice", group: group,
			about: "Take a device out of quarantine.",
			once:  keyByStore, gives: ok(view), codes: []code{codeNotFound},
			run: replying(a.once(idempotency.Lease, a.restoreDevice)),
		},
	}
}

func (a *api) operatorRoutes() []*route {
	return append(a.probeRoutes(), &route{
		method: http.MethodGet, path: "/openapi.json", name: "getOpenAPI", group: groupOperators, open: true, quiet: true,
		about: "This document.",
		gives: []given{{status: http.StatusOK, about: "OpenAPI 3.1.", types: []string{typeJSON}, of: reflect.TypeFor[map[string]any]()}},
		run:   replying(a.openAPI),
	})
}

const groupOperators = "operators"

func (a *api) probeRoutes() []*route {
	const group = groupOperators
	health := reflect.TypeFor[telemetry.Report]()
	return []*route{
		{
			method: http.MethodGet, path: "/healthz", name: "getHealth", group: group, open: true, quiet: true,
			about: "Tell whether the process should be left running.",
			gives: ok(health), run: replying(a.live),
		},
		{
			method: http.MethodGet, path: "/readyz", name: "getReadiness", group: group, open: true, quiet: true,
			about: "Tell whether the process should be given work, and why not.",
			detail: "Each check has its status, since when, how old the answer is, and what is wrong. `degraded` is ready: what fails is not needed for the " +
				"program's job. Checks run at most every two seconds, the answer takes less than one. As text, a line for each check, when Accept names `text/plain`.",
			gives: []given{
				{http.StatusOK, "Ready, or degraded.", []string{typeJSON}, health, false},
				{http.StatusOK, "", []string{typeText}, nil, false},
				{http.StatusServiceUnavailable, "Not ready.", []string{typeJSON}, health, false},
				{http.StatusServiceUnavailable, "", []string{typeText}, nil, false},
			},
			run: replying(a.ready),
		},
		{
			method: http.MethodGet, path: "/metrics", name: "getMetrics", group: group, open: true, quiet: true,
			about: "Metrics in the Prometheus text format.",
			gives: []given{{status: http.StatusOK, about: "All metrics.", types: []string{typeMetrics}}},
			run:   a.exposition(),
		},
	}
}

// ok is the one good answer of most routes.
func ok(of reflect.Type) []given {
	return []given{{http.StatusOK, "As it is now.", []string{typeJSON}, of, false}}
}

// maxTextParam bounds a textual parameter; cursors and user ids are far shorter.
const maxTextParam = 1024

func pageParams() []param {
	return []param{
		{name: "limit", about: "Most items of the page.", kind: paramInteger, low: 1, high: 1000, fallback: "100"},
		{name: "cursor", about: "next_cursor of the page before.", high: maxTextParam},
	}
}

func filterParams() []param {
	classes := make([]string, 0, len(push.Classes()))
	for _, c := range push.Classes() {
		classes = append(classes, c.String())
	}
	names := []string{push.CodeOpen.String()}
	for _, f := range push.Codes() {
		names = append(names, f.Name)
	}
	return []param{
		{name: "class", about: "Only deliveries of this class.", kind: paramChoice, choices: classes},
		{name: "code", about: "Only deliveries with this outcome code.", kind: paramChoice, choices: names},
	}
}

const uploadDetail = "The body is streamed and kept as it comes; it may be compressed with gzip or zstd (a window of at most 8 MiB), which `Content-Encoding` " +
	"says, and must not stay silent for more than 30 seconds. Every line has a number, from 1: of NDJSON every line of text, of CSV every record behind " +
	"the header row and every empty line. The header row has none, and a part of an upload repeats it. CSV columns are `token`, `fid`, `user_id`, " +
	"`device_id`, `locale`, `collapse_id` and `data.<key>`; an empty cell says nothing.\n\n"

func uploadParams() []param {
	const maxLine = 1 << 40
	return []param{
		{name: "offset", about: "Number of the first line in the whole upload, from 1. Absent: append.", kind: paramInteger, low: 1, high: maxLine},
		{name: "all_or_nothing", about: "Refuse the whole request if one line is bad.", kind: paramFlag, fallback: "false"},
	}
}
