package replay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-push/belfry/internal/letters/letterstest"
	"github.com/belfry-push/belfry/internal/push"
)

// tallies are letters whose tallies are counted, and fail at will.
type tallies struct {
	letterstest.Around

	asked  int // in a bubble of synctest, by one goroutine at a time
	broken bool
}

func (l *tallies) LetterTally(ctx context.Context, replay push.ID) (push.LetterTally, error) {
	if l.asked++; l.broken {
		return push.LetterTally{}, errors.New("the store is away")
	}
	return l.Around.LetterTally(ctx, replay)
}

// How far the replays are that have not ended is shown by every process, until they end; also of one that waits, and while the
// store is away.
func TestProgressIsShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, t.Context)
		w.crowd(20)
		reg, letters := prometheus.NewPedanticRegistry(), &tallies{Around: w.LettersPort()}
		watching := w.other(func(c *Config) { c.Letters, c.Metrics = letters, NewMetrics(prometheus.NewRegistry()) })
		watching.ShowOpen(reg)
		want := func(when string, running, paused, left, sent, done float64) {
			t.Helper()
			got := map[string]float64{}
			families, err := reg.Gather()
			w.Must(err)
			for _, f := range families {
				for _, m := range f.GetMetric() {
					got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
				}
			}
			for state, v := range map[string]float64{"running": running, "paused": paused, "stopped": 0, "left": left, "sent": sent, "done": done} {
				if is, there := got[state]; !there || is != v {
					t.Errorf("%s: %s is %v (there: %v), want %v", when, state, is, there, v)
				}
			}
			if len(got) != 6 {
				t.Errorf("%s: %v", when, got)
			}
		}
		x := &executor{
			Room: watching, mine: map[push.ID]bool{}, seen: map[push.ID]sign{}, rest: map[push.ID]time.Time{},
		}
		look := func(after time.Duration) error {
			time.Sleep(after)
			return x.look(t.Context())
		}
		want("with nothing", 0, 0, 0, 0, 0)
		run := w.start(Options{Rate: 1})
		x.mine[run.ID] = true // it does not execute it
		w.Must(look(0))
		want("before it begins", 1, 0, 20, 0, 0)
		for range 5 {
			w.Must(look(time.Second))
		}
		if letters.asked != 1 {
			t.Errorf("within some seconds its letters are tallied %d times", letters.asked)
		}
		executing(t.Context(), w.room, func() {
			w.until(run.ID, time.Minute, func(r *Run) bool { return r.Owner != "" })
			time.Sleep(10 * time.Second)
			_, err := w.room.Pause(t.Context(), run.ID, "")
			w.Must(err)
			time.Sleep(10 * time.Second)
		})
		tally, err := w.Letters.LetterTally(t.Context(), run.ID)
		w.Must(err)
		sent := float64(tally.Sent())
		if sent == 0 || sent == 20 {
			t.Fatalf("%v letters are sent", sent)
		}
		w.Must(look(0))
		want("paused", 0, 1, 20-sent, sent, 0)
		letters.broken = true
		if err := look(time.Hour); err == nil {
			t.Error("that letters cannot be tallied is not told")
		}
		want("while the store is away", 0, 1, 20-sent, sent, 0)
		letters.broken = false
		_, err = w.room.Resume(t.Context(), run.ID, "")
		w.Must(err)
		w.running(always(push.CodeSent), func() {
			executing(t.Context(), w.room, func() { time.Sleep(5 * time.Second) })
		})
		tally, err = w.Letters.LetterTally(t.Context(), run.ID)
		w.Must(err)
		sent = float64(tally.Sent())
		done := float64(tally.ByOutcome[push.CodeSent])
		if done == 0 || sent == 20 {
			t.Fatalf("%v letters are sent, %v have an outcome", sent, done)
		}
		w.Must(look(0))
		want("resumed", 1, 0, 20-sent, sent-done, done)
		w.running(always(push.CodeSent), func() {
			executing(t.Context(), w.room, func() { w.until(run.ID, 2*time.Minute, completed) })
		})
		w.Must(look(0))
		want("completed", 0, 0, 0, 0, 0)
	})
}
