package replay

import (
	"encoding/json"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/wire"
)

// eventSource is the CloudEvents source of this room's events.
const eventSource = "belfry"

// event tells where a run stands; it holds no address and no text of a message.
func (r *Room) event(run *Run) wire.Event {
	e := wire.Event{
		Source: eventSource, ID: string(push.NewID(push.PrefixEvent)), Type: wire.EventReplayChanged, Subject: string(run.ID), Time: r.now(),
	}
	body, err := json.Marshal(map[string]any{
		"id": run.ID, "state": run.State, "why": run.Why, "simulation": run.Simulation, "total": run.Total, "at": run.UpdatedAt,
	})
	if err == nil { // strings, numbers and a time always encode
		e.Data = body
	}
	return e
}
