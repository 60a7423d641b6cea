package httpapi

import (
	"encoding/json"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/replay"
)

func simulationView(s *replay.Simulation) client.Simulation {
	v := client.Simulation{
		ID: string(s.ID), By: s.By, At: s.At, ExpiresAt: s.ExpiresAt(), Filter: filterView(&s.Filter), Edits: editsView(&s.Edits), Rate: s.Rate,
		Total: s.Total, Sends: s.Sends, Counts: byName(s.Counts), PossibleDuplicates: s.PossibleDuplicates, Unwatched: s.Unwatched, Samples: map[string][]client.SimulationSample{},
		MessageBefore: json.RawMessage(s.Before), MessageAfter: json.RawMessage(s.After), Seconds: s.Time.Seconds(), CostUSD: s.Cost,
	}
	for p, samples := range s.Samples {
		for _, one := range samples {
			v.Samples[string(p)] = append(v.Samples[string(p)], client.SimulationSample{Letter: string(one.Letter), Why: one.Why})
		}
	}
	return v
}

// editsView is nil where nothing is edited.
func editsView(e *replay.Edits) *client.ReplayEdits {
	if e.Priority == "" && len(e.Patch) == 0 && e.ExpireAfter == 0 {
		return nil
	}
	v := &client.ReplayEdits{Priority: string(e.Priority), Patch: e.Patch}
	if e.ExpireAfter > 0 {
		v.ExpireAfter = e.ExpireAfter.String()
	}
	return v
}

// runView shows a replay without counting its letters.
func runView(r *replay.Run) client.Replay {
	return client.Replay{
		ID: string(r.ID), State: string(r.State), Why: r.Why, By: r.By, Simulation: string(r.Simulation), Filter: filterView(&r.Filter),
		Edits: editsView(&r.Edits), Canary: r.Options.Canary, Rate: r.Options.Rate, StopIfRefail: r.Options.StopIfRefail, Max: r.Options.Max,
		MessageBefore: json.RawMessage(r.Before), MessageAfter: json.RawMessage(r.After),
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, EndedAt: timeOrNil(r.EndedAt), Phase: string(r.Phase), Round: r.Round, Owner: r.Owner,
		Total: r.Total, Skipped: byName(r.Skipped),
	}
}

func statusView(s *replay.Status) client.Replay {
	v := runView(&s.Run)
	v.InHand, v.Sent, v.Known, v.Refailed = s.Tally.Replaying, s.Sent, s.Known, s.Refailed
	v.Unwatched = s.Unwatched
	v.ByOutcome = byText(s.Tally.ByOutcome)
	return v
}
