package deadletters

import (
	"encoding/json"
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/httpapi/views"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

func simulationView(s *predict.Simulation) client.Simulation {
	v := client.Simulation{
		ID: string(s.ID), By: s.By, At: s.At, ExpiresAt: s.ExpiresAt(), Filter: filterView(&s.Filter), Edits: editsView(&s.Edits), Rate: s.Rate,
		Total: s.Total, Sends: s.Sends, Counts: byName[string](s.Counts), PossibleDuplicates: s.PossibleDuplicates, Unwatched: s.Unwatched,
		Samples:       map[string][]client.SimulationSample{},
		MessageBefore: json.RawMessage(s.Before), MessageAfter: json.RawMessage(s.After), Seconds: s.Time.Seconds(), CostUSD: s.Cost,
	}
	for p, samples := range s.Samples {
		for _, one := range samples {
			v.Samples[string(p)] = append(v.Samples[string(p)], client.SimulationSample{Letter: string(one.Letter), Why: one.Why})
		}
	}
	return v
}

// editsView shows edits; it is nil if there are none.
func editsView(e *predict.Edits) *client.ReplayEdits {
	if e.Priority == "" && len(e.Patch) == 0 && e.ExpireAfter == 0 {
		return nil
	}
	v := &client.ReplayEdits{Priority: client.Priority(e.Priority), Patch: e.Patch}
	if e.ExpireAfter > 0 {
		v.ExpireAfter = e.ExpireAfter.String()
	}
	return v
}

// runView shows a replay without counting its letters.
func runView(r *replay.Run) client.Replay {
	return client.Replay{
		ID: string(r.ID), State: client.ReplayState(r.State), Why: r.Why, By: r.By, Simulation: string(r.Simulation),
		Filter: filterView(&r.Filter),
		Edits:  editsView(&r.Edits), Canary: r.Options.Canary, Rate: r.Options.Rate, StopIfRefail: r.Options.StopIfRefail, Max: r.Options.Max,
		MessageBefore: json.RawMessage(r.Before), MessageAfter: json.RawMessage(r.After),
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, EndedAt: views.Time(r.EndedAt), Phase: string(r.Phase), Round: r.Round, Owner: r.Owner,
		Total: r.Total, Skipped: byName[string](r.Skipped), RefailedBy: byText[client.Code](r.RefailedBy), Next: next(r),
	}
}

// next says what an operator does now about a replay that does nothing by itself.
func next(r *replay.Run) string {
	most := r.MostRefailed()
	check := ""
	if most != push.CodeOpen {
		check = fmt.Sprintf("Most failed again with %s. Check: %s ", most, letters.AdviceFor(most).Check)
	}
	switch r.State {
	case replay.RunStopped:
		return check + "When it is mended, resume it: what was sent is not sent again. Cancel it to leave the rest parked."
	case replay.RunPaused:
		return check + "Resume it to go on, or cancel it to leave the rest parked."
	case replay.RunCompleted, replay.RunCancelled:
		if most != push.CodeOpen {
			return check + "Those that failed again are new letters once they are drained: drain, then look at the groups."
		}
	case replay.RunRunning:
	}
	return ""
}

func statusView(s *replay.Status) client.Replay {
	v := runView(&s.Run)
	v.InHand, v.Sent, v.Known, v.Refailed = s.Tally.Replaying, s.Sent, s.Known, s.Refailed
	v.Unwatched = s.Unwatched
	v.ByOutcome = byText[client.Code](s.Tally.ByOutcome)
	return v
}
