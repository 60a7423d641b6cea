package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	// PossibleDuplicates is how many of those that would be sent may have arrived
	// before: their last answer never came. Devices replace the earlier copy.
	PossibleDuplicates int64 `json:"possible_duplicates"`
	// Unwatched is how many of those that would be sent are whole messages. What
	// becomes of one can't be told from its letter.
	Unwatched int64                   `json:"unwatched,omitempty"`
	Samples   map[Prediction][]Sample `json:"samples"`
	Before    push.Message            `json:"before,omitempty"` // of one edited message
	After     push.Message            `json:"after,omitempty"`

	Sends int64         `json:"sends"` // letters that would be sent
	Time  time.Duration `json:"time"`  // that sending would take
	Cost  float64       `json:"cost"`  // US dollars
}

// ExpiresAt returns until when the simulation can be quoted.
func (s *Simulation) ExpiresAt() time.Time { return s.At.Add(simulationKeep) }

// Sample is one letter and what was found.
type Sample struct {
	Letter push.ID `json:"letter"`
	Why    string  `json:"why,omitempty"`
}

const (
	maxSamples = 5
	// simulationKeep is how long a simulation can be quoted.
	simulationKeep = time.Hour
)

// SimulateRequest says what is to be simulated.
type SimulateRequest struct {
	Filter push.LetterFilter
	All    bool // required for a filter that takes every letter
	Edits  Edits
	Rate   float64 // for the estimate of time
	By     string
	// Progress, if set, is told how many letters have been looked at.
	Progress func(done int64)
}

// Simulate looks at every parked letter that the filter takes and says, against
// the present state, what a replay would come to. It changes nothing but the
// record of itself. Memory does not depend on the number of letters. Errors are
// push.Faults, ErrUnbounded and ErrNothing.
func (r *Room) Simulate(ctx context.Context, req SimulateRequest) (Simulation, error) {
	if err := checkSelection(&req.Filter, req.All); err != nil {
		return Simulation{}, err
	}
	faults := req.Edits.check()
	if err := append(faults, (&Options{Rate: req.Rate}).check()...).Err(); err != nil {
		return Simulation{}, err
	}
	if _, err := r.mend(ctx); err != nil {
		return Simulation{}, fmt.Errorf("simulate: %w", err)
	}
	now := r.now()
	s := Simulation{
		ID: push.NewID(push.PrefixSimulation), By: req.By, Filter: parked(req.Filter), Edits: req.Edits, Rate: req.Rate, At: now,
		Counts: map[Prediction]int64{}, Samples: map[Prediction][]Sample{},
	}
	if s.Filter.StoredBefore.IsZero() || s.Filter.StoredBefore.After(now) {
		s.Filter.StoredBefore = now
	}
	for cursor := ""; ; {
		page, next, err := r.Letters.Letters(ctx, s.Filter, cursor, pageSize)
		if err != nil {
			return Simulation{}, fmt.Errorf("simulate: %w", err)
		}
		verdicts, err := r.examine(ctx, page, &req.Edits)
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
		return Simulation{}, fmt.Errorf("%w: nothing is parked that the filter takes", ErrNothing)
	}
	s.estimate(r.Capacity, r.CostPerSend)
	if err := r.save(ctx, kindSimulation, s.ID, 1, &s, now); err != nil {
		return Simulation{}, fmt.Errorf("keep the simulation: %w", err)
	}
	return s, nil
}

// checkSelection refuses a filter that takes everything by mistake, and one
// that asks for letters that can't be moved.
func checkSelection(f *push.LetterFilter, all bool) error {
	if f.IsZero() && !all {
		return ErrUnbounded
	}
	for _, s := range f.States {
		if s != push.LetterParked {
			return push.Faults{{Pointer: "/filter/states", Code: push.FaultValue, Detail: fmt.Sprintf("only parked letters can be replayed or discarded (got %q)", s)}}
		}
	}
	return nil
}

func (s *Simulation) add(l *push.Letter, v *verdict) {
	s.Total++
	s.Counts[v.prediction]++
	if v.prediction.Sends() {
		s.Sends++
		if v.twice {
			s.PossibleDuplicates++
		}
		if l.Kind == push.LetterMessage {
			s.Unwatched++
		}
	}
	if have := s.Samples[v.prediction]; len(have) < maxSamples {
		s.Samples[v.prediction] = append(have, Sample{Letter: l.ID, Why: v.why})
	}
}

// sampleEdit keeps the first edited message and what it was before.
func (r *Room) sampleEdit(ctx context.Context, s *Simulation, page []push.Letter, verdicts []verdict) error {
	for i := range page {
		if s.After != nil || verdicts[i].message == nil {
			continue
		}
		n, err := r.Notifications.Notification(ctx, page[i].Notification)
		if errors.Is(err, push.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the message before the edit: %w", err)
		}
		s.Before, s.After = n.Message, verdicts[i].message
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
	if _, err := r.load(ctx, kindSimulation, id, &s); err != nil {
		return Simulation{}, fmt.Errorf("simulation %s: %w", id, err)
	}
	return s, nil
}

// fresh returns ErrStale, with the reason, when the simulation is too old, or
// letters of its set have been replayed or discarded since. Letters that arrived
// later are not in its set and don't matter.
func (r *Room) fresh(ctx context.Context, s *Simulation) error {
	if age := r.now().Sub(s.At); age > simulationKeep {
		return fmt.Errorf("%w: made %v ago, good for %v; simulate again", ErrStale, age.Round(time.Second), simulationKeep)
	}
	n, err := r.count(ctx, s.Filter)
	if err != nil {
		return err
	}
	if n != s.Total {
		return fmt.Errorf("%w: of its %d letters %d are still parked, the others were replayed or discarded since; simulate again, and if a replay is at work on them, when it has ended", ErrStale, s.Total, n)
	}
	return nil
}

// count counts the parked letters that a filter takes.
func (r *Room) count(ctx context.Context, f push.LetterFilter) (int64, error) {
	groups, err := r.Letters.LetterGroups(ctx, parked(f))
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	var n int64
	for i := range groups {
		n += groups[i].ByState[push.LetterParked]
	}
	return n, nil
}
