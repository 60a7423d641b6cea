package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/belfry-push/belfry/internal/visible"
)

// plainEvery is how often a display that is not a terminal says something.
const plainEvery = 5 * time.Second

// barWidth is the width of a bar in columns, for a line of at most 100.
const barWidth = 30

// Display is the place where progress is shown. It is safe for concurrent use;
// one bar is shown at a time.
type Display struct {
	out io.Writer
	tty bool

	mu   sync.Mutex // also held while writing to out
	bars *mpb.Progress
}

// New returns a display on out. With tty there are bars that move, otherwise a
// line every five seconds. Of what it is told to say nothing drives the terminal,
// see [visible.Text].
func New(out io.Writer, tty bool) *Display {
	if w, ok := out.(*visible.Writer); ok {
		out = w.Raw() // the bars move the cursor
	}
	return &Display{out: out, tty: tty}
}

// Printf prints a line, above the bar if there is one. It may be called from
// any goroutine at any time, to say what happens meanwhile.
func (d *Display) Printf(format string, args ...any) {
	line := visible.Text(fmt.Sprintf(format, args...)) + "\n"
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bars != nil {
		if _, err := io.WriteString(d.bars, line); err == nil {
			return
		}
	}
	_, _ = io.WriteString(d.out, line)
}

// show begins a bar; the two texts are asked for at every refresh, left and
// right of it, more are options of the bar. The function returned takes it off the screen's moving part,
// complete or as it stands.
func (d *Display) show(left, right func() string, more ...mpb.BarOption) (bar *mpb.Bar, end func(complete bool)) {
	if !d.tty {
		return nil, func(bool) {}
	}
	text := func(f func() string) decor.Decorator {
		return decor.Any(func(decor.Statistics) string { return visible.Field(f()) })
	}
	bars := mpb.New(mpb.WithOutput(d.out), mpb.WithAutoRefresh())
	// A total of 0 keeps the bar open until it is told: the total grows while
	// users turn into devices.
	bar = bars.New(0, mpb.BarStyle(), append(more, mpb.BarWidth(barWidth),
		mpb.PrependDecorators(text(left)), mpb.AppendDecorators(text(right)))...)
	d.mu.Lock()
	d.bars = bars
	d.mu.Unlock()
	return bar, func(complete bool) {
		d.mu.Lock()
		d.bars = nil // lines go behind the bar's last state from now on
		d.mu.Unlock()
		if complete {
			bar.SetTotal(-1, true)
		} else {
			bar.Abort(false)
		}
		bars.Wait()
	}
}
