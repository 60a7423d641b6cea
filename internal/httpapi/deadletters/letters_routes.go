package deadletters

import (
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/describe"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/idempotency"
)

// Group is the tag of the routes of dead letters and replays.
const Group = describe.GroupDeadLetters

// Routes returns the routes of dead letters and their replays. Callers with
// [access.PermPlatform] work on the letters of all tenants, and on letters without a tenant;
// any other sees its own tenant's only.
func Routes(kept Letters, replays Replays) []*door.Route {
	return append((&letterHandlers{letters: kept, replays: replays}).routes(),
		(&replayHandlers{replays: replays}).routes()...)
}

// letterHandlers serve dead letters.
type letterHandlers struct {
	letters Letters
	replays Replays
}

func (h *letterHandlers) routes() []*door.Route {
	const group, all = Group, "/v1/dead-letters"
	return []*door.Route{
		{
			Method: http.MethodGet, Path: all, Name: "listDeadLetters", Needs: access.PermReadPayload, Group: group, Audit: door.AuditRead,
			About:  "List dead letters, newest first.",
			Detail: "A search for text may give a page with few letters, or none, and a cursor: go on with it.",
			Params: append(door.PageParams(), letterParams()...),
			Gives: []door.Given{
				{Status: http.StatusOK, About: "A page.", Types: []string{door.TypeJSON}, Of: reflect.TypeFor[client.DeadLetterList]()},
			},
			Codes: []door.Code{door.CodeForbidden},
			Run:   door.Replying(h.listLetters),
		},
		{
			Method: http.MethodGet, Path: all + "/groups", Name: "groupDeadLetters", Needs: access.PermRead, Group: group,
			About:  "Show dead letters by cause, the largest groups first.",
			Detail: "Without `state` it counts parked letters.",
			Params: append(door.PageParams()[:1], letterParams()...),
			Gives:  door.OK(reflect.TypeFor[client.DeadLetterGroups]()),
			Codes:  []door.Code{door.CodeForbidden},
			Run:    door.Replying(h.groupLetters),
		},
		{
			Method: http.MethodGet, Path: all + "/stats", Name: "getDeadLetterStats", Needs: access.PermRead, Group: group,
			About:  "Sum dead letters by state, queue, code, class, tenant and app, and tell what retention soon gives up.",
			Params: letterParams(),
			Gives:  door.OK(reflect.TypeFor[client.DeadLetterStats]()),
			Codes:  []door.Code{door.CodeForbidden},
			Run:    door.Replying(h.letterStats),
		},
		{
			Method: http.MethodGet, Path: all + "/{id}", Name: "getDeadLetter", Needs: access.PermReadPayload, Group: group, Audit: door.AuditRead,
			About: "Show a dead letter: its story, what the ledger says now, what a replay would come to, and what to do.",
			Params: []door.Param{
				{Name: "body", About: "With the bytes of a message, which may hold addresses.", Kind: door.ParamFlag, Fallback: "false"},
			},
			Gives: door.OK(reflect.TypeFor[client.DeadLetter]()), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(h.getLetter),
		},
		{
			Method: http.MethodPost, Path: all + "/drain", Name: "drainDeadLetters", Needs: access.PermPlatform, Group: group,
			About: "Move dead letters from their queues into the store, where they can be seen and replayed; for the operator's key.",
			Detail: "It takes some 15 seconds at most; `more` says to call it again. A letter is in the store before its message is deleted, so " +
				"it may be cut short and repeated. It does not wait for messages that another drain holds.",
			Once: door.KeyByStore, Gives: door.OK(reflect.TypeFor[client.Drained]()), Codes: []door.Code{door.CodeForbidden},
			Run: door.Unhurried(door.Once(idempotency.Lease, h.drainLetters)),
		},
		{
			Method: http.MethodPost, Path: all + "/discard", Name: "discardDeadLetters", Needs: access.PermDiscard, Group: group,
			About:  "Give parked letters up, with a reason; tombstones stay.",
			Detail: "It answers when all of them are discarded. One that was cut short is simply repeated.",
			Once:   door.KeyByStore, Takes: []string{door.TypeJSON}, Body: reflect.TypeFor[client.DiscardRequest](),
			Gives: door.OK(reflect.TypeFor[client.Discarded]()),
			Codes: []door.Code{door.CodeNothing, door.CodeUnbounded, door.CodeStale, door.CodeForbidden, door.CodeApproval},
			Run:   door.Unhurried(door.OnceRead(h.discardLetters)),
		},
		{
			Method: http.MethodGet, Path: all + "/export", Name: "exportDeadLetters", Needs: access.PermReadPayload, Group: group,
			Audit: door.AuditRead,
			About: "Stream dead letters as an archive: NDJSON with a header line, a letter a line, and a last line that counts them.",
			Detail: "With `Accept-Encoding: zstd` it is compressed, and can be kept as it comes. Without the last line it was cut short. It " +
				"holds addresses.",
			Params: letterParams(),
			Gives: []door.Given{
				{
					Status: http.StatusOK, About: "The archive.", Types: []string{door.TypeNDJSON}, Of: reflect.TypeFor[map[string]any](),
					Sample: archiveSample(),
				},
			},
			Codes: []door.Code{door.CodeForbidden},
			Run:   h.exportLetters,
		},
		{
			Method: http.MethodPost, Path: all + "/import", Name: "importDeadLetters", Needs: access.PermPlatform, Group: group,
			About:  "Store the letters of an archive that are not there yet; for the operator's key.",
			Detail: "Importing the same archive again changes nothing. It may be compressed with zstd.",
			Once:   door.KeyByStore, Takes: append(door.NDJSONTypes(), typeZstd), Body: reflect.TypeFor[map[string]any](), Sample: archiveSample(),
			Gives: door.OK(reflect.TypeFor[client.ArchiveResult]()), Codes: []door.Code{door.CodeForbidden, door.CodeArchive},
			Run: door.Unhurried(door.Once(idempotency.Lease, h.importLetters)),
		},
	}
}

// archiveSample is the first line of an archive.
func archiveSample() map[string]any {
	return map[string]any{"type": "dead_letters", "v": 1, "at": "2026-11-21T09:30:00Z", "filter": map[string]any{}}
}
