package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
)

func (a *api) simulate(ctx context.Context, x *exchange) (reply, error) {
	var req client.SimulateRequest
	f, by, err := a.selection(x, &req, &req.Filter, &req.By, &req.All)
	if err != nil {
		return reply{}, err
	}
	edits, err := editsOf(req.Edits)
	if err != nil {
		return reply{}, err
	}
	s, err := a.cfg.DeadLetters.Simulate(ctx, replay.SimulateRequest{Filter: f, All: req.All, Edits: edits, Rate: req.Rate, By: by})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusCreated, body: simulationView(&s), location: "/v1/simulations/" + string(s.ID)}, nil
}

// editsOf reads the edits; the room checks what they say.
func editsOf(e *client.ReplayEdits) (replay.Edits, error) {
	if e == nil {
		return replay.Edits{}, nil
	}
	out := replay.Edits{Priority: push.Priority(e.Priority), Patch: e.Patch}
	if e.ExpireAfter == "" {
		return out, nil
	}
	var err error
	if out.ExpireAfter, err = time.ParseDuration(e.ExpireAfter); err != nil || out.ExpireAfter <= 0 {
		return out, push.Faults{{Pointer: "/edits/expire_after", Code: push.FaultValue, Detail: fmt.Sprintf("must be a duration such as 90m or 24h (got %q)", e.ExpireAfter)}}
	}
	return out, nil
}

func (a *api) getSimulation(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.pathID(push.PrefixSimulation)
	if err != nil {
		return reply{}, err
	}
	s, err := a.simulated(ctx, x, id)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: simulationView(&s)}, nil
}

func (a *api) simulated(ctx context.Context, x *exchange, id push.ID) (replay.Simulation, error) {
	s, err := a.cfg.DeadLetters.Simulated(ctx, id)
	if err == nil && !a.sees(x, s.Filter.Tenant) {
		err = push.ErrNotFound
	}
	return s, err
}

func (a *api) startReplay(ctx context.Context, x *exchange) (reply, error) {
	var req client.ReplayRequest
	if err := readJSON(x.body, &req); err != nil {
		return reply{}, err
	}
	id, err := push.ParseID(req.Simulation, push.PrefixSimulation)
	if err != nil {
		return reply{}, push.Faults{{Pointer: "/simulation", Code: push.FaultValue, Detail: fmt.Sprintf("must be the id of a simulation, sim_…: simulate first (got %q)", req.Simulation)}}
	}
	by, err := signed(x, "/by", req.By)
	if err != nil {
		return reply{}, err
	}
	if _, err := a.simulated(ctx, x, id); err != nil {
		return reply{}, err
	}
	run, err := a.cfg.DeadLetters.Start(ctx, replay.StartRequest{Simulation: id, By: by, Options: replay.Options{
		Canary: req.Canary, Rate: req.Rate, StopIfRefail: req.StopIfRefail, Max: req.Max,
	}})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusCreated, body: runView(&run), location: "/v1/replays/" + string(run.ID)}, nil
}

func (a *api) listReplays(ctx context.Context, x *exchange) (reply, error) {
	runs, next, err := a.cfg.DeadLetters.Runs(ctx, x.query.text("cursor"), int(x.query.integer("limit")))
	if err != nil {
		return reply{}, err
	}
	list := client.ReplayList{Items: []client.Replay{}, NextCursor: next}
	for i := range runs {
		if a.sees(x, runs[i].Filter.Tenant) {
			list.Items = append(list.Items, runView(&runs[i]))
		}
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (a *api) getReplay(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.pathID(push.PrefixReplay)
	if err != nil {
		return reply{}, err
	}
	return a.replay200(ctx, x, id)
}

func (a *api) replay200(ctx context.Context, x *exchange, id push.ID) (reply, error) {
	s, err := a.cfg.DeadLetters.Status(ctx, id)
	if err != nil {
		return reply{}, err
	}
	if !a.sees(x, s.Filter.Tenant) {
		return reply{}, push.ErrNotFound
	}
	return reply{status: http.StatusOK, body: statusView(&s)}, nil
}

// controlReplay looks at the replay before, for whose it is, and after.
func (a *api) controlReplay(op func(ctx context.Context, id push.ID, by string) (replay.Run, error)) handler {
	return func(ctx context.Context, x *exchange) (reply, error) {
		id, err := x.pathID(push.PrefixReplay)
		if err != nil {
			return reply{}, err
		}
		by, err := signed(x, "?by", x.query.text("by"))
		if err != nil {
			return reply{}, err
		}
		if _, err := a.replay200(ctx, x, id); err != nil {
			return reply{}, err
		}
		if _, err := op(ctx, id, by); err != nil {
			return reply{}, err
		}
		return a.replay200(ctx, x, id)
	}
}
