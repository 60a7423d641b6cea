package replay

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay/predict"
)

const (
	// maxIdle is how many rounds in a row may find nothing but chunks in delivery,
	// with waits from 1 s to 1 min between them: some four minutes.
	maxIdle    = 8
	longestGap = time.Minute
	// watchWindow is how many letters may be without an outcome while refailures
	// are to stop the run: it bounds what is sent before they show.
	watchWindow = 2000
	// leastKnown is how many outcomes tell something after the canary.
	leastKnown = 20
	// settleFor is how long a run waits for its last outcomes. What is open then
	// stays so in its status.
	settleFor = 10 * time.Minute
)

// step does the next piece of work.
func (e *engine) step(ctx context.Context) error {
	switch e.run.Phase {
	case phaseCanary, phaseMain:
		return e.advance(ctx)
	case phaseWatch:
		return e.watchCanary(ctx)
	case phaseSettle:
		return e.settle(ctx)
	}
	return fmt.Errorf("replay %s is in phase %q: %w", e.run.ID, e.run.Phase, push.ErrNewerSchema)
}

// advance takes the next page of letters.
func (e *engine) advance(ctx context.Context) error {
	budget, err := e.budget(ctx)
	if err != nil {
		return err
	}
	if budget == 0 {
		return e.enter(ctx, e.afterPass())
	}
	if wait := e.due.Sub(e.now()); wait > 0 {
		if err := e.idle(ctx, wait); err != nil {
			return err
		}
	}
	sent := 0
	err = e.finishing(ctx, func(ctx context.Context) (err error) {
		sent, err = e.page(ctx, budget)
		return err
	})
	if err != nil {
		return err
	}
	if rate := e.run.Options.Rate; rate > 0 && sent > 0 {
		from := e.due
		if now := e.now(); now.After(from) {
			from = now
		}
		e.due = from.Add(time.Duration(float64(sent) / rate * float64(time.Second)))
	}
	if e.run.Phase == phaseMain {
		if err := e.watchRefailures(ctx); err != nil || e.run.State != RunRunning {
			return err
		}
	}
	if e.cursor == "" && len(e.carry) == 0 {
		return e.endOfRound(ctx)
	}
	return nil
}

// budget is how many letters may still be sent in this pass: 0 ends it.
func (e *engine) budget(ctx context.Context) (int64, error) {
	tally, err := e.cfg.Letters.LetterTally(ctx, e.run.ID)
	if err != nil {
		return 0, fmt.Errorf("replay %s: %w", e.run.ID, err)
	}
	budget := int64(math.MaxInt64)
	if most := e.run.Options.Max; most > 0 {
		budget = max(0, most-tally.Sent()-tally.Replaying)
	}
	if e.run.Phase == phaseCanary && e.run.Round > 1 {
		budget = min(budget, 1-min(1, tally.Sent())) // see endOfRound
	}
	return budget, nil
}

// afterPass is the phase that follows when a pass is over.
func (e *engine) afterPass() phase {
	if e.run.Phase == phaseCanary {
		return phaseWatch
	}
	return phaseSettle
}

func (e *engine) enter(ctx context.Context, p phase) error {
	e.run.begin(p, e.now())
	e.rewind()
	return e.save(ctx)
}

// page replays one page, saves where the run stands, and returns how many
// letters it sent.
//
// The letters of one chunk travel in one message, because a line takes no second
// one before the first is done. So the chunk at the end of a page waits for the
// next page, and the stored cursor stays in front of this one: a crash then
// looks at some letters twice, which costs time only.
func (e *engine) page(ctx context.Context, budget int64) (int, error) {
	start, before := e.cursor, e.live.clone()
	page, next, err := e.cfg.Letters.Letters(ctx, e.run.Filter, start, e.pageLimit())
	if err != nil {
		return 0, fmt.Errorf("list letters: %w", err)
	}
	letters := append(e.carry, page...)
	e.carry = nil
	if next != "" {
		if cut := lastChunk(letters); cut > 0 {
			e.carry = slices.Clone(letters[cut:])
			letters = letters[:cut]
		}
	}
	sent := 0
	for part := range slices.Chunk(e.chosen(letters), maxPage) {
		n, err := e.replay(ctx, part, budget-int64(sent))
		if sent += n; err != nil {
			return sent, err
		}
	}
	e.cursor = next
	if len(e.carry) > 0 {
		e.run.Cursor, e.run.counters = start, before
	} else {
		e.run.Cursor, e.run.counters = next, e.live.clone()
	}
	return sent, e.save(ctx)
}

// pageLimit is one second's worth of letters at most.
func (e *engine) pageLimit() int {
	if rate := e.run.Options.Rate; rate > 0 {
		return int(min(max(rate, 1), pageSize))
	}
	return pageSize
}

// lastChunk returns where the letters of the last chunk begin; 0 if all belong
// to one.
func lastChunk(letters []push.Letter) int {
	at := len(letters)
	for at > 0 && letters[at-1].Notification != "" && letters[at-1].Ref() == letters[len(letters)-1].Ref() {
		at--
	}
	if at == len(letters) {
		return 0 // the last is no recipient's
	}
	return at
}

// chosen returns the letters that this pass is about: all, or the canary. What
// failed again after this very run is never taken a second time.
func (e *engine) chosen(letters []push.Letter) []push.Letter {
	return slices.DeleteFunc(letters, func(l push.Letter) bool {
		return l.ReplayOf == e.run.ID || e.run.Phase == phaseCanary && e.run.Round == 1 && !inCanary(l.ID, e.run.Options.Canary)
	})
}

// inCanary spreads letters evenly by their ids, which are hashes.
func inCanary(id push.ID, share float64) bool {
	u, err := uuid.Parse(string(id[len(id.Prefix())+1:]))
	if err != nil {
		return true
	}
	return float64(binary.BigEndian.Uint32(u[12:])) < share*(1<<32)
}

// endOfRound decides what follows when every letter was looked at.
func (e *engine) endOfRound(ctx context.Context) error {
	switch {
	case e.run.Phase == phaseCanary && e.run.Round == 1 && e.run.Progress == 0:
		// Of a small set the share may be no letter at all: take the first one then.
		e.run.again()
		e.rewind()
		return e.save(ctx)
	case e.run.Phase == phaseCanary, e.run.Skipped[predict.InDelivery] == 0:
		return e.enterKeeping(ctx)
	}
	if e.run.Progress > 0 {
		e.run.Idle = 0
	} else if e.run.Idle++; e.run.Idle > maxIdle {
		return e.enterKeeping(ctx)
	}
	gap := min(time.Second<<e.run.Idle, longestGap)
	if err := e.save(ctx); err != nil {
		return err
	}
	if err := e.idle(ctx, gap); err != nil {
		return err
	}
	e.run.again()
	e.rewind()
	return e.save(ctx)
}

// enterKeeping ends the pass and keeps its counts for the run's status.
func (e *engine) enterKeeping(ctx context.Context) error {
	counts := e.run.counters
	e.run.begin(e.afterPass(), e.now())
	e.run.counters = counts
	e.rewind()
	return e.save(ctx)
}
