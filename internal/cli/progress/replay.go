package progress

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/client"
)

// paceOver is over how long the rate of a replay is measured: a canary makes a
// pause, and what was before it says nothing.
const paceOver = 10 * time.Second

// Replay asks poll how a replay stands and shows the answers until nothing more
// happens to it. It returns the last answer, with an error as [Display.Batch]
// does.
func (d *Display) Replay(ctx context.Context, poll func(context.Context) (client.Replay, error)) (client.Replay, error) {
	w := &replayWatch{}
	bar, end := d.show(w.label, w.status)
	complete := false
	defer func() { end(complete) }()
	said := time.Now()
	for failures := 0; ; {
		asked := time.Now()
		r, err := poll(ctx)
		switch {
		case ctx.Err() != nil:
			return w.answer(), context.Cause(ctx)
		case err == nil:
			failures = 0
			w.take(&r, time.Now())
		case refused(err):
			return w.answer(), err
		default:
			if failures++; failures == 1 {
				d.Printf("no answer, asking again: %v", err)
			}
			if failures == patience {
				return w.answer(), err
			}
		}
		if bar != nil {
			now := w.answer()
			bar.SetTotal(max(now.Total, 1), false)
			bar.SetCurrent(now.Total - remaining(&now))
		}
		if err == nil && r.Done() {
			complete = r.State == client.ReplayCompleted // the bar of one that stopped stays where it stopped
			return r, nil
		}
		if bar == nil && time.Since(said) >= plainEvery {
			said = time.Now()
			d.Printf("%s: %s", w.label(), w.status())
		}
		if err := sleep(ctx, min(max(pollLeast, pollShare*time.Since(asked)), pollMost)); err != nil {
			return w.answer(), context.Cause(ctx)
		}
	}
}

// replayWatch is what has been seen so far. The bar's goroutine reads it.
type replayWatch struct {
	last atomic.Pointer[client.Replay]
	rate atomic.Pointer[float64] // letters a second; nil before it is known
	seen []sentAt                // the last paceOver
}

type sentAt struct {
	at   time.Time
	sent int64
}

func (w *replayWatch) take(r *client.Replay, now time.Time) {
	w.last.Store(r)
	w.seen = append(w.seen, sentAt{now, r.Sent})
	for len(w.seen) > 2 && now.Sub(w.seen[1].at) >= paceOver {
		w.seen = w.seen[1:]
	}
	if took := now.Sub(w.seen[0].at).Seconds(); took > 0 {
		rate := float64(r.Sent-w.seen[0].sent) / took
		w.rate.Store(&rate)
	}
}

func (w *replayWatch) answer() client.Replay {
	if r := w.last.Load(); r != nil {
		return *r
	}
	return client.Replay{}
}

// remaining is how many letters may still be sent.
func remaining(r *client.Replay) int64 {
	left := r.Total - r.Sent
	for prediction, n := range r.Skipped {
		if prediction != "in_delivery" { // looked at again
			left -= n
		}
	}
	if r.Max > 0 {
		left = min(left, r.Max-r.Sent)
	}
	return max(left, 0)
}

// label is what a replay is doing.
func (w *replayWatch) label() string {
	r := w.answer()
	if r.State != client.ReplayRunning {
		if r.State == "" {
			return "waiting"
		}
		return string(r.State)
	}
	switch r.Phase {
	case "canary":
		return "sending the canary"
	case "watch":
		return "watching the canary"
	case "settle":
		return "waiting for outcomes"
	}
	return "sending"
}

// watched reports whether there are outcomes to tell of: whole messages have none,
// and that nothing is known of them is not that nothing failed.
func watched(r *client.Replay) bool { return r.Unwatched == 0 || r.Sent > r.Unwatched }

// Outcomes tells what has become of the letters that were sent, as the rest of a
// sentence.
func Outcomes(r *client.Replay) string {
	s := ""
	if watched(r) {
		s = fmt.Sprintf(", %s outcomes known, %s failed again", Group(r.Known), Group(r.Refailed))
	}
	if r.Unwatched > 0 {
		s += fmt.Sprintf(", %s not watched", Group(r.Unwatched))
	}
	return s
}

// named is the code that most letters failed again with.
func named(r *client.Replay) string {
	var most client.Code
	for code, n := range r.RefailedBy {
		if n > r.RefailedBy[most] || n == r.RefailedBy[most] && code < most {
			most = code
		}
	}
	switch len(r.RefailedBy) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" (%s)", most)
	}
	return fmt.Sprintf(" (most with %s)", most)
}

// status is the line of figures.
func (w *replayWatch) status() string {
	r := w.answer()
	s := fmt.Sprintf("%s of %s sent", Group(r.Sent), Group(r.Total))
	if watched(&r) {
		s += fmt.Sprintf(", %s failed again of %s known", Group(r.Refailed), Group(r.Known))
		s += named(&r)
	}
	if r.Unwatched > 0 {
		s += fmt.Sprintf(", %s not watched", Group(r.Unwatched))
	}
	rate := w.rate.Load()
	if rate == nil || *rate < 0.05 {
		return s
	}
	if *rate < 10 {
		s += fmt.Sprintf(", %.1f/s", *rate)
	} else {
		s += fmt.Sprintf(", %s/s", Group(int64(*rate+0.5)))
	}
	const longest = 1e6 // seconds; beyond eleven days it is no estimate
	if eta := float64(remaining(&r)) / *rate; r.Phase == "main" && eta > 0 && eta < longest {
		s += ", ETA " + time.Duration(eta*float64(time.Second)).Round(time.Second).String()
	}
	return s
}
