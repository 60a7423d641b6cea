package deadletters

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/access"
	"github.com/belfry-push/belfry/internal/httpapi/door"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
	"github.com/belfry-push/belfry/internal/request"
)

func (h *replayHandlers) simulate(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var req client.SimulateRequest
	f, by, err := selection(x, &req, &req.Filter, &req.By, &req.All)
	if err != nil {
		return door.Reply{}, err
	}
	edits, err := editsOf(req.Edits)
	if err != nil {
		return door.Reply{}, err
	}
	s, err := h.replays.Simulate(ctx, predict.SimulateRequest{Filter: f, All: req.All, Edits: edits, Rate: req.Rate, By: by})
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusCreated, Body: simulationView(&s), Location: "/v1/simulations/" + string(s.ID)}, nil
}

// editsOf reads the edits; the room checks what they say.
func editsOf(e *client.ReplayEdits) (predict.Edits, error) {
	if e == nil {
		return predict.Edits{}, nil
	}
	out := predict.Edits{Priority: push.Priority(e.Priority), Patch: e.Patch}
	if e.ExpireAfter == "" {
		return out, nil
	}
	var err error
	if out.ExpireAfter, err = time.ParseDuration(e.ExpireAfter); err != nil || out.ExpireAfter <= 0 {
		return out, push.Faults{
			{
				Pointer: "/edits/expire_after", Code: push.FaultValue,
				Detail: fmt.Sprintf("must be a duration such as 90m or 24h (got %q)", e.ExpireAfter),
			},
		}
	}
	return out, nil
}

func (h *replayHandlers) getSimulation(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := x.PathID(push.PrefixSimulation)
	if err != nil {
		return door.Reply{}, err
	}
	s, err := h.simulated(ctx, x, id)
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusOK, Body: simulationView(&s)}, nil
}

func (h *replayHandlers) simulated(ctx context.Context, x *door.Exchange, id push.ID) (predict.Simulation, error) {
	s, err := h.replays.Simulated(ctx, id)
	if err == nil && !sees(x, s.Filter.Tenant) {
		err = push.ErrNotFound
	}
	return s, err
}

func (h *replayHandlers) startReplay(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	var req client.ReplayRequest
	if err := request.DecodeJSON(x.Body, &req); err != nil {
		return door.Reply{}, err
	}
	id, err := push.ParseID(req.Simulation, push.PrefixSimulation)
	if err != nil {
		return door.Reply{}, push.Faults{
			{
				Pointer: "/simulation", Code: push.FaultValue,
				Detail: fmt.Sprintf("must be the id of a simulation, sim_…: simulate first (got %q)", req.Simulation),
			},
		}
	}
	by, err := signed(x, "/by", req.By)
	if err != nil {
		return door.Reply{}, err
	}
	s, err := h.simulated(ctx, x, id)
	if err != nil {
		return door.Reply{}, err
	}
	options, err := optionsOf(x.Body, &req, &s)
	if err != nil {
		return door.Reply{}, err
	}
	err = x.Approve(ctx, access.ActReplay, x.Body, func(context.Context) (int64, string, error) {
		return s.Sends, fmt.Sprintf("replay %d letters, as simulation %s", s.Sends, id), nil
	})
	if err != nil {
		return door.Reply{}, err
	}
	run, err := h.replays.Start(ctx, replay.StartRequest{Simulation: id, By: by, Options: options})
	if err != nil {
		return door.Reply{}, err
	}
	return door.Reply{Status: http.StatusCreated, Body: runView(&run), Location: "/v1/replays/" + string(run.ID)}, nil
}

// optionsOf returns the options of a request: what it says, and the careful ones where it
// says nothing, unless everything is to go at once.
func optionsOf(body []byte, req *client.ReplayRequest, s *predict.Simulation) (replay.Options, error) {
	o := replay.Options{Canary: req.Canary, Rate: req.Rate, StopIfRefail: req.StopIfRefail, Max: req.Max}
	if req.AtOnce {
		if o.Canary != 0 {
			return o, push.Faults{{
				Pointer: "/at_once", Code: push.FaultConflict, Detail: "is without a canary: leave out at_once or canary",
			}}
		}
		return o, nil
	}
	var said struct { // 0 is a choice, too
		Canary       *float64 `json:"canary"`
		StopIfRefail *float64 `json:"stop_if_refail"`
	}
	if err := json.Unmarshal(body, &said); err != nil { //nolint:forbidigo // it was checked
		return o, fmt.Errorf("read the options again: %w", err)
	}
	sends := s.Sends
	if req.Max > 0 {
		sends = min(sends, req.Max)
	}
	careful := replay.Careful(sends)
	if said.Canary == nil {
		o.Canary = careful.Canary
	}
	if said.StopIfRefail == nil {
		o.StopIfRefail = careful.StopIfRefail
	}
	return o, nil
}

func (h *replayHandlers) listReplays(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	runs, next, err := h.replays.Runs(ctx, x.Query.Text("cursor"), int(x.Query.Integer("limit")))
	if err != nil {
		return door.Reply{}, err
	}
	list := client.ReplayList{Items: []client.Replay{}, NextCursor: next}
	for i := range runs {
		if sees(x, runs[i].Filter.Tenant) {
			list.Items = append(list.Items, runView(&runs[i]))
		}
	}
	return door.Reply{Status: http.StatusOK, Body: list}, nil
}

func (h *replayHandlers) getReplay(ctx context.Context, x *door.Exchange) (door.Reply, error) {
	id, err := x.PathID(push.PrefixReplay)
	if err != nil {
		return door.Reply{}, err
	}
	return h.replay200(ctx, x, id)
}

func (h *replayHandlers) replay200(ctx context.Context, x *door.Exchange, id push.ID) (door.Reply, error) {
	s, err := h.replays.Status(ctx, id)
	if err != nil {
		return door.Reply{}, err
	}
	if !sees(x, s.Filter.Tenant) {
		return door.Reply{}, push.ErrNotFound
	}
	return door.Reply{Status: http.StatusOK, Body: statusView(&s)}, nil
}

// controlReplay reads the replay before the operation, to check whose it is, and after it.
func (h *replayHandlers) controlReplay(op func(ctx context.Context, id push.ID, by string) (replay.Run, error)) door.Handler {
	return func(ctx context.Context, x *door.Exchange) (door.Reply, error) {
		id, err := x.PathID(push.PrefixReplay)
		if err != nil {
			return door.Reply{}, err
		}
		by, err := signed(x, "?by", x.Query.Text("by"))
		if err != nil {
			return door.Reply{}, err
		}
		if _, err := h.replay200(ctx, x, id); err != nil {
			return door.Reply{}, err
		}
		if _, err := op(ctx, id, by); err != nil {
			return door.Reply{}, err
		}
		return h.replay200(ctx, x, id)
	}
}
