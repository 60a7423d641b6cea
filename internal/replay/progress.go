package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// What a look reads for the gauges is one tally, which the store keeps, of a replay at a time: often of one that runs, and
// seldom of one that waits for an operator, whose letters in hand may still end.
const (
	tallyRunning = 15 * time.Second
	tallyWaiting = 5 * time.Minute
)

// progress is what an executor shows of the replays that have not ended.
type progress struct {
	runs map[push.ID]tallied // of the last look
}

// tallied is how far a replay was, and until when that is good enough.
type tallied struct {
	far   far
	state RunState
	until time.Time
}

// far is how far letters have come.
type far struct {
	left int64 // not sent again, or passed over
	sent int64 // without an outcome yet
	done int64 // with an outcome, or sent back as whole messages, which have none
}

func (f *far) add(o far) {
	f.left += o.left
	f.sent += o.sent
	f.done += o.done
}

// show brings the gauges of the replays that have not ended up to date, after a look over all of them. One that cannot be
// tallied is shown as it was known last, at first as not begun.
func (x *executor) show(ctx context.Context, open []Run) error {
	var faults []error
	now, kept := x.now(), map[push.ID]tallied{}
	states, sum := map[RunState]int{}, far{}
	for i := range open {
		run := &open[i]
		t, known := x.progress.runs[run.ID]
		if !known {
			t.far = far{left: run.Total}
		}
		if !known || t.state != run.State || !now.Before(t.until) {
			tally, err := x.cfg.Letters.LetterTally(ctx, run.ID)
			if err != nil {
				faults = append(faults, fmt.Errorf("replay %s: %w", run.ID, err))
			} else {
				t = tallyOf(run, &tally, now)
			}
		}
		kept[run.ID] = t
		states[run.State]++
		sum.add(t.far)
	}
	x.progress.runs = kept
	x.cfg.Metrics.show(states, sum)
	return errors.Join(faults...)
}

func tallyOf(run *Run, t *push.LetterTally, now time.Time) tallied {
	awaiting := t.Awaiting() + t.Replaying
	claimed := t.Sent() + t.Replaying
	out := tallied{
		far:   far{left: max(0, run.Total-claimed), sent: awaiting, done: claimed - awaiting},
		state: run.State, until: now.Add(tallyWaiting),
	}
	if run.State == RunRunning {
		out.until = now.Add(tallyRunning)
	}
	return out
}
