package httpapi

import (
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/idempotency"
)

// groupDeadLetters is the tag of the routes of dead letters and replays.
const groupDeadLetters = "dead letters"

// deadLetterRoutes are those of a server that has dead letters.
func (a *api) deadLetterRoutes() []*route {
	if a.cfg.DeadLetters == nil {
		return nil
	}
	return append(a.letterRoutes(), a.replayRoutes()...)
}

func (a *api) letterRoutes() []*route {
	const group, all = groupDeadLetters, "/v1/dead-letters"
	return []*route{
		{
			method: http.MethodGet, path: all, name: "listDeadLetters", group: group,
			about:  "List dead letters, newest first.",
			detail: "A search for text may give a page with few letters, or none, and a cursor: go on with it.",
			params: append(pageParams(), letterParams()...),
			gives:  []given{{http.StatusOK, "A page.", []string{typeJSON}, reflect.TypeFor[client.DeadLetterList](), false}},
			codes:  []code{codeForbidden},
			run:    replying(a.listLetters),
		},
		{
			method: http.MethodGet, path: all + "/groups", name: "groupDeadLetters", group: group,
			about:  "Show dead letters by cause, the largest groups first.",
			detail: "Without `state` it counts parked letters.",
			params: append(pageParams()[:1], letterParams()...),
			gives:  ok(reflect.TypeFor[client.DeadLetterGroups]()),
			codes:  []code{codeForbidden},
			run:    replying(a.groupLetters),
		},
		{
			method: http.MethodGet, path: all + "/stats", name: "getDeadLetterStats", group: group,
			about:  "Sum dead letters by state, queue, code, class, tenant and app, and tell what retention soon gives up.",
			params: letterParams(),
			gives:  ok(reflect.TypeFor[client.DeadLetterStats]()),
			codes:  []code{codeForbidden},
			run:    replying(a.letterStats),
		},
		{
			method: http.MethodGet, path: all + "/{id}", name: "getDeadLetter", group: group,
			about:  "Show a dead letter: its story, what the ledger says now, what a replay would come to, and what to do.",
			params: []param{{name: "body", about: "With the bytes of a message, which may hold addresses.", kind: paramFlag, fallback: "false"}},
			gives:  ok(reflect.TypeFor[client.DeadLetter]()), codes: []code{codeNotFound},
			run: replying(a.getLetter),
		},
		{
			method: http.MethodPost, path: all + "/discard", name: "discardDeadLetters", group: group,
			about:  "Give parked letters up, with a reason; tombstones stay.",
			detail: "It answers when all of them are discarded. One that was cut short is simply repeated.",
			once:   keyByStore, takes: []string{typeJSON}, body: reflect.TypeFor[client.DiscardRequest](),
			gives: ok(reflect.TypeFor[client.Discarded]()), codes: []code{codeNothing, codeUnbounded, codeStale, codeForbidden},
			run: unhurried(a.onceRead(a.discardLetters)),
		},
		{
			method: http.MethodGet, path: all + "/export", name: "exportDeadLetters", group: group,
			about:  "Stream dead letters as an archive: NDJSON with a header line, a letter a line, and a last line that counts them.",
			detail: "With `Accept-Encoding: zstd` it is compressed, and can be kept as it comes. Without the last line it was cut short. It holds addresses.",
			params: letterParams(),
			gives:  []given{{http.StatusOK, "The archive.", []string{typeNDJSON}, reflect.TypeFor[map[string]any](), false}},
			codes:  []code{codeForbidden},
			run:    a.exportLetters,
		},
		{
			method: http.MethodPost, path: all + "/import", name: "importDeadLetters", group: group,
			about:  "Store the letters of an archive that are not there yet; for the operator's key.",
			detail: "Importing the same archive again changes nothing. It may be compressed with zstd.",
			once:   keyByStore, takes: append(ndjsonTypes(), typeZstd), body: reflect.TypeFor[map[string]any](),
			gives: ok(reflect.TypeFor[client.ArchiveResult]()), codes: []code{codeForbidden, codeArchive},
			run: unhurried(a.once(idempotency.Lease, a.importLetters)),
		},
	}
}

func (a *api) replayRoutes() []*route {
	const group, all, one = groupDeadLetters, "/v1/replays", "/v1/replays/{id}"
	view, simulation := reflect.TypeFor[client.Replay](), reflect.TypeFor[client.Simulation]()
	verb := func(path, name, about string, run handler) *route {
		return &route{
			method: http.MethodPost, path: one + path, name: name, group: group, about: about,
			params: []param{{name: "by", about: "Who does it, for the record.", high: maxTextParam}},
			once:   keyByStore, gives: ok(view), codes: []code{codeNotFound, codeState, codeConflict},
			run: replying(a.once(idempotency.Lease, run)),
		}
	}
	letters := a.cfg.DeadLetters
	return []*route{
		{
			method: http.MethodPost, path: "/v1/simulations", name: "simulateReplay", group: group,
			about:  "Say what a replay of parked letters would come to now; nothing is sent.",
			detail: "It looks at every letter and answers when it has. A replay quotes its id within the hour, and replays exactly these letters.",
			once:   keyByStore, takes: []string{typeJSON}, body: reflect.TypeFor[client.SimulateRequest](),
			gives: []given{{http.StatusCreated, "Simulated.", []string{typeJSON}, simulation, true}},
			codes: []code{codeNothing, codeUnbounded, codeForbidden},
			run:   unhurried(a.onceRead(a.simulate)),
		},
		{
			method: http.MethodGet, path: "/v1/simulations/{id}", name: "getSimulation", group: group,
			about: "Show an earlier simulation.", gives: ok(simulation), codes: []code{codeNotFound},
			run: replying(a.getSimulation),
		},
		{
			method: http.MethodPost, path: all, name: "startReplay", group: group,
			about:  "Send the letters of a simulation again.",
			detail: "The server executes it, or another process on the same store; it survives the death of any of them.",
			once:   keyByStore, takes: []string{typeJSON}, body: reflect.TypeFor[client.ReplayRequest](),
			gives: []given{{http.StatusCreated, "Started.", []string{typeJSON}, view, true}},
			codes: []code{codeNothing, codeStale, codeNotFound, codeConflict},
			run:   replying(a.onceRead(a.startReplay)),
		},
		{
			method: http.MethodGet, path: all, name: "listReplays", group: group,
			about:  "List replays, oldest first, without their counts.",
			params: pageParams(),
			gives:  []given{{http.StatusOK, "A page.", []string{typeJSON}, reflect.TypeFor[client.ReplayList](), false}},
			run:    replying(a.listReplays),
		},
		{
			method: http.MethodGet, path: one, name: "getReplay", group: group,
			about: "Show how a replay stands.", gives: ok(view), codes: []code{codeNotFound},
			run: replying(a.getReplay),
		},
		verb("/pause", "pauseReplay", "Make a replay stop after the letters in hand, until it is resumed.", a.controlReplay(letters.Pause)),
		verb("/resume", "resumeReplay", "Go on with a replay that was paused or stopped itself.", a.controlReplay(letters.Resume)),
		verb("/cancel", "cancelReplay", "End a replay for good; what was sent stays sent.", a.controlReplay(letters.Cancel)),
	}
}
