package replay

import (
	"github.com/belfry-push/belfry/internal/wire"
)

// eventSource is the CloudEvents source of this room's events.
const eventSource = "belfry"

// event returns the event of a run's state; it holds no address and no text of a message.
func (r *Room) event(run *Run) (wire.Event, error) {
	return wire.NewEvent(eventSource, string(run.ID), "", r.now(), wire.ReplayChanged{
		ID: run.ID, State: string(run.State), Why: run.Why, Simulation: run.Simulation, Total: run.Total, Tenant: run.Filter.Tenant,
		At: run.UpdatedAt,
	})
}
