package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/idempotency"
	"github.com/belfry-push/belfry/internal/push"
)

// batches serve notifications whose recipients are uploaded.
type batches struct {
	acceptance

	reports    Reports
	room       Batches
	deliveries deliveries
}

func (b *batches) routes() []*door.Route {
	const group, one = groupBatches, "/v1/batches/{id}"
	view := reflect.TypeFor[client.Notification]()
	verb := func(path, name string, needs access.Permission, about string, op operation) *door.Route {
		return &door.Route{
			Method: http.MethodPost, Path: one + path, Name: name, Needs: needs, Group: group, About: about,
			Once: door.KeyByStore, Gives: door.OK(view, describe.SampleBatch()),
			Codes: []door.Code{door.CodeNotFound, door.CodeState, door.CodeConflict},
			Run:   door.Replying(door.Once(idempotency.Lease, move(op, push.PrefixBatch))),
		}
	}
	return []*door.Route{
		{
			Method: http.MethodPost, Path: "/v1/batches", Name: "createBatch", Needs: access.PermSend, Group: group,
			About: "Create a batch: a notification whose recipients are uploaded.",
			Once:  door.KeyByIntake, Takes: []string{door.TypeJSON}, Body: reflect.TypeFor[client.Request](),
			Sample: describe.SampleBatchRequest(),
			Gives: []door.Given{
				{
					Status: http.StatusCreated, About: "Created; upload recipients to upload_url, then start it.", Types: []string{door.TypeJSON},
					Of: view, Sample: describe.SampleNewBatch(), Located: true,
				},
			},
			Run: door.Replying(b.createBatch),
		},
		{
			Method: http.MethodGet, Path: one, Name: "getBatch", Needs: access.PermRead, Group: group, Audit: door.AuditRead,
			About: "Show a batch, with counts that add up, its rate and an estimate of when it is done.",
			Gives: door.OK(view, describe.SampleBatch()), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(showWhole(b.reports, push.PrefixBatch)),
		},
		{
			Method: http.MethodPost, Path: one + "/recipients", Name: "uploadRecipients", Needs: access.PermSend, Group: group,
			About: "Upload recipients, one JSON object or CSV record a line, any number of lines.",
			Detail: uploadDetail +
				"With `offset`, the number of the first line, an upload can be repeated or resumed: lines that are durable already are skipped, " +
				"so it needs no Idempotency-Key and ignores one. Without it the lines are appended; then an Idempotency-Key makes a repeat " +
				"harmless: it gets the first answer, even if that says that the upload broke off.",
			Once: door.KeyByStore, Params: uploadParams(), Takes: append(door.NDJSONTypes(), door.TypeCSV), Body: reflect.TypeFor[recipient](),
			Gives: []door.Given{
				{
					Status: http.StatusOK, About: "What was kept and what was refused.", Types: []string{door.TypeJSON},
					Of: reflect.TypeFor[client.UploadResult](),
				},
			},
			Codes: []door.Code{door.CodeNotFound, door.CodeState, door.CodeConflict, door.CodeGap, door.CodeRefused},
			Run:   door.Unhurried(b.uploadRecipients()),
		},
		b.startRoute(verb("/start", "startBatch", access.PermSend, "Declare the upload finished and start sending.", b.room.Start)),
		verb("/pause", "pauseBatch", access.PermManage, "Stop sending until it is resumed.", b.room.Pause),
		resumeRoute(b.room, verb("/resume", "resumeBatch", access.PermManage, "Go on sending.", b.room.Resume), push.PrefixBatch),
		verb("/cancel", "cancelBatch", access.PermManage, "Cancel what is still open.", b.room.Cancel),
		{
			Method: http.MethodGet, Path: one + "/report", Name: "reportBatch", Needs: access.PermReadPayload, Group: group, Audit: door.AuditRead,
			About: "Stream the deliveries of a batch as NDJSON, one line per recipient, and the upload lines that were refused.",
			Detail: "Behind the deliveries comes a row of the class `invalid` for every refused line: `code` says what kind of fault it has, " +
				"`pointer` " +
				"where, and `detail` why. `class=invalid` streams these alone; with any other filter they are left out.",
			Params: reportParams(),
			Gives: []door.Given{
				{Status: http.StatusOK, About: "All rows.", Types: []string{door.TypeNDJSON}, Of: reflect.TypeFor[client.Delivery]()},
			},
			Codes: []door.Code{door.CodeNotFound},
			Run:   b.deliveries.reportBatch,
		},
	}
}

const uploadDetail = "The body is streamed and kept as it comes; it may be compressed with gzip or zstd (a window of at most 8 MiB), " +
	"which `Content-Encoding` " +
	"says, and must not stay silent for more than 30 seconds. Every line has a number, from 1: of NDJSON every line of text, of CSV every " +
	"record behind " +
	"the header row and every empty line. The header row has none, and a part of an upload repeats it. CSV columns are `token`, `fid`, " +
	"`user_id`, " +
	"`device_id`, `locale`, `collapse_id` and `data.<key>`; an empty cell says nothing.\n\n"

func uploadParams() []door.Param {
	const maxLine = 1 << 40
	return []door.Param{
		{
			Name: "offset", About: "Number of the first line in the whole upload, from 1. Absent: append.", Kind: door.ParamInteger, Low: 1,
			High: maxLine,
		},
		{Name: "all_or_nothing", About: "Refuse the whole request if one line is bad.", Kind: door.ParamFlag, Fallback: "false"},
	}
}

// startRoute adds the early start to the route that starts a batch.
func (b *batches) startRoute(r *door.Route) *door.Route {
	r.Detail = "With `early=true` sending begins while recipients are still being uploaded; a start without it says later that the upload " +
		"is finished. " +
		"Until then the batch does not complete. Its TTL counts from the first start, and the deadline ends an upload that nobody declares " +
		"finished."
	r.Params = []door.Param{
		{Name: "early", About: "Send while recipients are still being uploaded.", Kind: door.ParamFlag, Fallback: "false"},
	}
	r.Run = door.Replying(door.Once(idempotency.Lease, b.startBatch()))
	return r
}

func (b *batches) startBatch() door.Handler {
	whole := move(b.room.Start, push.PrefixBatch)
	early := move(b.room.StartEarly, push.PrefixBatch)
	return func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
		if x.Query.Flag("early") {
			return early(ctx, x)
		}
		return whole(ctx, x)
	}
}
