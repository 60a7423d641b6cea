package predict

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/letters"
	"github.com/belfry-push/belfry/internal/push"
)

// Simulation is what a replay of a set of letters would have done at a moment.
// A replay quotes it, and replays exactly the letters that were simulated.
type Simulation struct {
	ID     push.ID           `json:"id"`
	By     string            `json:"by,omitempty"`
	Filter push.LetterFilter `json:"filter"` // with the states and the time that bound it
	Edits  Edits             `json:"edits,omitzero"`
	Rate   float64           `json:"rate,omitempty"`
	At     time.Time         `json:"at"`

	Total  int64                `json:"total"`
	Counts map[Prediction]int64 `json:"counts"`
	// PossibleDuplicates is how many of the letters that would be sent may have arrived
	// before, because their last answer never came. Devices replace the earlier copy.
	PossibleDuplicates int64 `json:"possible_duplicates"`
	// Unwatched is how many of the letters that would be sent are whole messages. The
	// letter of a whole message never gets an outcome.
	Unwatched int64                   `json:"unwatched,omitempty"`
	Samples   map[Prediction][]Sample `json:"samples"`
	Before    push.Message            `json:"before,omitempty"` // of one edited message
	After     push.Message            `json:"after,omitempty"`

	Sends int64         `json:"sends"` // letters that would be sent
	Time  time.Duration `json:"time"`  // that sending would take
	Cost  float64       `json:"cost"`  // US dollars
}

// ExpiresAt returns the time until which a replay may quote the simulation.
func (s *Simulation) ExpiresAt() time.Time { return s.At.Add(simulationKeep) }

// Sample is one letter and the verdict on it.
type Sample struct {
	Letter push.ID `json:"letter"`
	Why    string  `json:"why,omitempty"`
}

const (
	// kindSimulation is the kind of the document that keeps a simulation.
	kindSimulation = "simulation"

	maxSamples = 5
	// simulationKeep is how long a replay may quote a simulation.
	simulationKeep = time.Hour
)

// SimulateRequest says what to simulate.
type SimulateRequest struct {
	Filter push.LetterFilter
	All    bool // required for a filter that takes every letter
	Edits  Edits
	Rate   float64 // for the estimate of time
	By     string
	// Progress, if set, is called with the number of letters examined.
	Progress func(done int64)
}

// Simulate examines every parked letter that matches the filter, and predicts from the
// present state what a replay would do. It writes nothing but its own record. Memory does
// not depend on the number of letters. Errors are
// push.Faults, letters.ErrUnbounded and letters.ErrNothing.
func (r *Room) Simulate(ctx context.Context, req SimulateRequest) (Simulation, error) {
	if err := letters.CheckSelection(&req.Filter, req.All); err != nil {
		return Simulation{}, err
	}
	faults := req.Edits.check()
	if err := append(faults, CheckRate(req.Rate)...).Err(); err != nil {
		return Simulation{}, err
	}
	if _, err := r.cfg.Keeper.Mend(ctx); err != nil {
		return Simulation{}, fmt.Errorf("simulate: %w", err)
	}
	now := r.now()
	s := Simulation{
		ID: push.NewID(push.PrefixSimulation), By: req.By, Filter: letters.Parked(req.Filter), Edits: req.Edits, Rate: req.Rate, At: now,
		Counts: map[Prediction]int64{}, Samples: map[Prediction][]Sample{},
	}
	if s.Filter.StoredBefore.IsZero() || s.Filter.StoredBefore.After(now) {
		s.Filter.StoredBefore = now
	}
	for cursor := ""; ; {
		page, next, err := r.cfg.Letters.Letters(ctx, s.Filter, cursor, pageSize)
		if err != nil {
			return Simulation{}, fmt.Errorf("simulate: %w", err)
		}
		verdicts, err := r.Examine(ctx, page, &req.Edits)
		if err != nil {
			return Simulation{}, fmt.Errorf("simulate: %w", err)
		}
		for i := range page {
			s.add(&page[i], &verdicts[i])
		}
		if err := r.sampleEdit(ctx, &s, page, verdicts); err != nil {
			return Simulation{}, err
		}
		if req.Progress != nil {
			req.Progress(s.Total)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if s.Total == 0 {
		return Simulation{}, fmt.Errorf("%w: nothing is parked that the filter takes", letters.ErrNothing)
	}
	s.estimate(r.cfg.Capacity, r.cfg.CostPerSend)
	if err := document.Save(ctx, r.cfg.Documents, kindSimulation, string(s.ID), 1, &s, now); err != nil {
		return Simulation{}, fmt.Errorf("keep the simulation: %w", err)
	}
	return s, nil
}

func (s *Simulation) add(l *push.Letter, v *Verdict) {
	s.Total++
	s.Counts[v.Prediction]++
	if v.Prediction.Sends() {
		s.Sends++
		if v.twice {
			s.PossibleDuplicates++
		}
		if l.Kind == push.LetterMessage {
			s.Unwatched++
		}
	}
	if have := s.Samples[v.Prediction]; len(have) < maxSamples {
		s.Samples[v.Prediction] = append(have, Sample{Letter: l.ID, Why: v.Why})
	}
}

// sampleEdit keeps the first edited message, before and after the edits.
func (r *Room) sampleEdit(ctx context.Context, s *Simulation, page []push.Letter, verdicts []Verdict) error {
	for i := range page {
		if s.After != nil || verdicts[i].Message == nil {
			continue
		}
		n, err := r.cfg.Notifications.Notification(ctx, page[i].Notification)
		if errors.Is(err, push.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the message before the edit: %w", err)
		}
		s.Before, s.After = n.Message, verdicts[i].Message
	}
	return nil
}

func (s *Simulation) estimate(capacity, costPerSend float64) {
	rate := capacity
	if s.Rate > 0 {
		rate = min(rate, s.Rate)
	}
	s.Time = time.Duration(float64(s.Sends) / rate * float64(time.Second)).Round(time.Millisecond)
	s.Cost = float64(s.Sends) * costPerSend
}

// Simulated returns a simulation, or push.ErrNotFound.
func (r *Room) Simulated(ctx context.Context, id push.ID) (Simulation, error) {
	var s Simulation
	if _, err := document.Load(ctx, r.cfg.Documents, kindSimulation, string(id), &s); err != nil {
		return Simulation{}, fmt.Errorf("simulation %s: %w", id, err)
	}
	return s, nil
}

// Fresh reports whether a simulation can still be replayed. It returns
// letters.ErrStale, with the reason, when the simulation is too old, or
// letters of its set have been replayed or discarded since. Letters that arrived
// later are not in its set and do not matter.
func (r *Room) Fresh(ctx context.Context, s *Simulation) error {
	if age := r.now().Sub(s.At); age > simulationKeep {
		return fmt.Errorf("%w: made %v ago, good for %v; simulate again", letters.ErrStale, age.Round(time.Second), simulationKeep)
	}
	n, err := r.cfg.Keeper.Count(ctx, s.Filter)
	if err != nil {
		return err
	}
	if n != s.Total {
		return fmt.Errorf("%w: of its %d letters %d are still parked, the others were replayed or discarded since; simulate again, and if a "+
			"replay is at work on them, when it has ended",
			letters.ErrStale, s.Total, n)
	}
	return nil
}
