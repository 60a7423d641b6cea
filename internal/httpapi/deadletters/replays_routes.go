package deadletters

import (
	"net/http"
	"reflect"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/idempotency"
)

// replayHandlers serve simulations and replays.
type replayHandlers struct {
	replays Replays
}

func (h *replayHandlers) routes() []*door.Route {
	const group, all, one = Group, "/v1/replays", "/v1/replays/{id}"
	view, simulation := reflect.TypeFor[client.Replay](), reflect.TypeFor[client.Simulation]()
	verb := func(path, name, about string, run door.Handler) *door.Route {
		return &door.Route{
			Method: http.MethodPost, Path: one + path, Name: name, Needs: access.PermReplay, Group: group, About: about,
			Params: []door.Param{{Name: "by", About: "Who does it, for the record.", High: door.MaxText}},
			Once:   door.KeyByStore, Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound, door.CodeState, door.CodeConflict},
			Run: door.Replying(door.Once(idempotency.Lease, run)),
		}
	}
	return []*door.Route{
		{
			Method: http.MethodPost, Path: "/v1/simulations", Name: "simulateReplay", Needs: access.PermReplay, Group: group,
			About:  "Say what a replay of parked letters would come to now; nothing is sent.",
			Detail: "It looks at every letter and answers when it has. A replay quotes its id within the hour, and replays exactly these letters.",
			Once:   door.KeyByStore, Takes: []string{door.TypeJSON}, Body: reflect.TypeFor[client.SimulateRequest](),
			Gives: []door.Given{{Status: http.StatusCreated, About: "Simulated.", Types: []string{door.TypeJSON}, Of: simulation, Located: true}},
			Codes: []door.Code{door.CodeNothing, door.CodeUnbounded, door.CodeForbidden},
			Run:   door.Unhurried(door.OnceRead(h.simulate)),
		},
		{
			Method: http.MethodGet, Path: "/v1/simulations/{id}", Name: "getSimulation", Needs: access.PermReplay, Group: group,
			About: "Show an earlier simulation.", Gives: door.OK(simulation), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(h.getSimulation),
		},
		{
			Method: http.MethodPost, Path: all, Name: "startReplay", Needs: access.PermReplay, Group: group,
			About: "Send the letters of a simulation again.",
			Detail: "The server executes it, or another process on the same store; it survives the death of any of them. Where the body " +
				"leaves `canary` and `stop_if_refail` out, 1 % of the letters, at least 10 and at most half, are sent first, and it stops when " +
				"more than 20 % failed again. `at_once` sends everything without either.",
			Once: door.KeyByStore, Takes: []string{door.TypeJSON}, Body: reflect.TypeFor[client.ReplayRequest](),
			Gives: []door.Given{{Status: http.StatusCreated, About: "Started.", Types: []string{door.TypeJSON}, Of: view, Located: true}},
			Codes: []door.Code{door.CodeNothing, door.CodeStale, door.CodeNotFound, door.CodeConflict, door.CodeApproval},
			Run:   door.Replying(door.OnceRead(h.startReplay)),
		},
		{
			Method: http.MethodGet, Path: all, Name: "listReplays", Needs: access.PermRead, Group: group,
			About:  "List replays, oldest first, without their counts.",
			Params: door.PageParams(),
			Gives: []door.Given{
				{Status: http.StatusOK, About: "A page.", Types: []string{door.TypeJSON}, Of: reflect.TypeFor[client.ReplayList]()},
			},
			Run: door.Replying(h.listReplays),
		},
		{
			Method: http.MethodGet, Path: one, Name: "getReplay", Needs: access.PermRead, Group: group,
			About: "Show how a replay stands.", Gives: door.OK(view), Codes: []door.Code{door.CodeNotFound},
			Run: door.Replying(h.getReplay),
		},
		verb("/pause", "pauseReplay", "Make a replay stop after the letters in hand, until it is resumed.", h.controlReplay(h.replays.Pause)),
		verb("/resume", "resumeReplay", "Go on with a replay that was paused or stopped itself.", h.controlReplay(h.replays.Resume)),
		verb("/cancel", "cancelReplay", "End a replay for good; what was sent stays sent.", h.controlReplay(h.replays.Cancel)),
	}
}
