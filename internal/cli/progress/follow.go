package progress

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/visible"
)

// Follow shows what a watch says until it ends: on a terminal a bar, with the
// failures by code below it, elsewhere a line every five seconds. It returns the
// last answer, with the watch's error if it has one.
func (d *Display) Follow(ctx context.Context, updates iter.Seq2[client.BatchProgress, error]) (client.Notification, error) {
	w := &watch{begun: time.Now()}
	bar, end := d.show(w.label, w.status, mpb.BarExtender(mpb.BarFillerFunc(w.below), false))
	done := false
	defer func() { end(done) }()
	if bar == nil {
		defer d.plainly(ctx, w)()
	}
	for p, err := range updates {
		if err != nil {
			return w.answer(), err
		}
		w.take(p.Notification)
		d.tell(w, &p.Notification)
		if bar != nil {
			accepted, open := w.counts()
			bar.SetTotal(max(accepted, 1), false)
			bar.SetCurrent(accepted - open)
		}
		done = p.Last
	}
	return w.answer(), nil
}

// plainly prints a line every five seconds until the function returned is called.
func (d *Display) plainly(ctx context.Context, w *watch) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var printing sync.WaitGroup
	printing.Go(func() {
		for sleep(ctx, plainEvery) == nil {
			line := w.label() + ": " + w.status()
			if codes := w.failures(); codes != "" {
				line += "; " + codes
			}
			d.Printf("%s", line)
		}
	})
	return func() {
		cancel()
		printing.Wait()
	}
}

// below is the bar's second line.
func (w *watch) below(out io.Writer, _ decor.Statistics) error {
	codes := w.failures()
	if codes == "" {
		return nil
	}
	_, err := io.WriteString(out, "  "+visible.Field(codes)+"\n")
	return err
}

// failures lists why recipients were not reached, the most frequent first.
func (w *watch) failures() string {
	n := w.last.Load()
	if n == nil || n.Counts == nil {
		return ""
	}
	type reason struct {
		code  string
		count int64
	}
	var reasons []reason
	for code, count := range n.Counts.ByCode {
		if code != client.CodeSent {
			reasons = append(reasons, reason{string(code), count})
		}
	}
	slices.SortFunc(reasons, func(a, b reason) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.code, b.code))
	})
	const shown = 4 // fit on a line
	var parts []string
	var rest int64
	for i, r := range reasons {
		if i < shown {
			parts = append(parts, r.code+" "+Group(r.count))
		} else {
			rest += r.count
		}
	}
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("%d other codes %s", len(reasons)-shown, Group(rest)))
	}
	return strings.Join(parts, ", ")
}
