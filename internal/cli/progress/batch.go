package progress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/belfry-push/belfry/client"
)

// How often the server is asked. Counting a batch of a million costs it a query
// over thousands of lines, so the pause is also a multiple of what the last
// answer took: watching takes a sixth of the server's attention at most.
const (
	pollLeast = 250 * time.Millisecond
	pollMost  = 5 * time.Second
	pollShare = 5
)

// patience is how many questions in a row may fail before a display gives up.
// The client has repeated each of them already.
const patience = 10

// Batch shows a notification or batch until nothing more will happen to it: see
// [Display.Batch].
func Batch(ctx context.Context, poll func(context.Context) (client.Notification, error), out io.Writer,
	tty bool,
) (client.Notification, error) {
	return New(out, tty).Batch(ctx, poll)
}

// Batch asks poll how the batch stands and shows the answers, until it is
// [client.Notification.Done]. It returns the last answer, with an error when
// ctx ended, when the server refuses to answer, or after ten failures in a row.
func (d *Display) Batch(ctx context.Context, poll func(context.Context) (client.Notification, error)) (client.Notification, error) {
	w := &watch{begun: time.Now(), said: time.Now()}
	bar, end := d.show(w.label, w.status)
	done := false
	defer func() { end(done) }()

	for failures := 0; ; {
		asked := time.Now()
		n, err := poll(ctx)
		switch {
		case ctx.Err() != nil:
			return w.answer(), context.Cause(ctx)
		case err == nil:
			failures = 0
			w.take(n)
			d.tell(w, &n)
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
			accepted, open := w.counts()
			bar.SetTotal(max(accepted, 1), false)
			bar.SetCurrent(accepted - open)
		}
		if done = err == nil && n.Done(); done {
			return n, nil
		}
		if bar == nil && time.Since(w.said) >= plainEvery {
			w.said = time.Now()
			d.Printf("%s: %s", w.label(), w.status())
		}
		pause := min(max(pollLeast, pollShare*time.Since(asked)), pollMost)
		if err := sleep(ctx, pause); err != nil {
			return w.answer(), context.Cause(ctx)
		}
	}
}

// refused tells whether asking again would bring the same.
func refused(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Status < http.StatusInternalServerError && p.Status != http.StatusTooManyRequests
}

// watch is what has been seen so far. The bar's goroutine reads it.
type watch struct {
	begun, said time.Time
	told        map[string]bool // what is held
	first, last atomic.Pointer[client.Notification]
}

func (w *watch) take(n client.Notification) {
	w.first.CompareAndSwap(nil, &n)
	w.last.Store(&n)
}

func (w *watch) answer() client.Notification {
	if n := w.last.Load(); n != nil {
		return *n
	}
	return client.Notification{}
}

func (w *watch) counts() (accepted, open int64) { return counts(w.last.Load()) }

// counts of an answer; one without counts has everything before it.
func counts(n *client.Notification) (accepted, open int64) {
	switch {
	case n == nil:
		return 0, 0
	case n.Counts == nil:
		return n.Recipients, n.Recipients
	default:
		return n.Counts.Accepted, n.Counts.Open
	}
}

// label is the state in a word that goes with figures.
func (w *watch) label() string {
	state := w.answer().State
	if state == client.StateAccepted { // chunks are sent while others are still planned
		return "starting"
	}
	return cmp.Or(string(state), "waiting")
}

// status is the line of figures: what was sent, what was not, what is left, how
// fast, and how long it may take.
func (w *watch) status() string {
	n := w.last.Load()
	accepted, open := counts(n)
	var sent int64
	if n != nil && n.Counts != nil {
		sent = n.Counts.Sent
	}
	s := fmt.Sprintf("%s sent, %s failed, %s open", Group(sent), Group(accepted-open-sent), Group(open))
	rate, eta := w.pace(n, accepted-open, open)
	if rate > 0 {
		s += fmt.Sprintf(", %s/s", Group(int64(rate+0.5)))
	}
	if eta > 0 {
		s += ", ETA " + eta.Round(time.Second).String()
	}
	if n != nil && n.Waiting != nil {
		s += ", waiting: " + n.Waiting.Text
	}
	return s
}

// paceLeast is after how long a mean since the first answer means something.
const paceLeast = 3 * time.Second

// pace is the server's estimate. Of a batch it gives one as soon as it means something; of
// anything else it is the mean since the first answer, unless nothing moves.
func (w *watch) pace(n *client.Notification, decided, open int64) (rate float64, eta time.Duration) {
	if n == nil {
		return 0, 0
	}
	if n.Rate != nil {
		rate = *n.Rate
	} else if first := w.first.Load(); first != nil && n.Received == nil {
		accepted, then := counts(first)
		if took := time.Since(w.begun); took >= paceLeast {
			rate = float64(decided-(accepted-then)) / took.Seconds()
		}
	}
	const longest = 1e6 // seconds; beyond eleven days it is no estimate
	seconds := 0.0
	switch {
	case n.ETASeconds != nil:
		seconds = *n.ETASeconds
	case rate > 0 && n.Received == nil && n.Waiting == nil:
		seconds = float64(open) / rate
	}
	if seconds <= 0 || seconds > longest {
		return rate, 0
	}
	return rate, time.Duration(seconds * float64(time.Second))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
