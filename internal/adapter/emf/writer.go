package emf

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/telemetry"
)

// Config is what the lines are made from.
type Config struct {
	Registry     prometheus.Gatherer
	Log          *zap.Logger
	Now          func() time.Time
	Installation string // 1 to 255 characters, without control characters; the same in all programs of it
	Program      string // ingest; no dimension
	Task         string // names the process; no dimension
	// Places returns, for each queue that this process works, how many messages all running tasks together have in hand at
	// once. What cannot be found out is told as it was before.
	Places func(ctx context.Context) map[string]int
}

// Writer writes the lines of a process.
type Writer struct {
	cfg    Config
	before families
	means  map[string]float64 // seconds that a message took, by queue
	lines  chan []byte        // to put, which alone may wait for the reader
	ailing telemetry.Ailing
}

const (
	// every is the period of CloudWatch's metrics of standard resolution.
	every = time.Minute
	// afterwards is for how long the last lines may take when the process ends.
	afterwards = time.Second
)

// errUnread says that nobody reads what is written.
var errUnread = errors.New("whoever reads standard output does not take its lines; those of some minutes are left out")

// New returns a writer that has written nothing.
func New(cfg Config) *Writer {
	return &Writer{cfg: cfg, means: map[string]float64{}, lines: make(chan []byte, 1)}
}

// Run writes to out once in every minute of the clock, all lines of a minute in one write, until ctx ends, and then once more: what was
// counted since is in it. Whoever reads out slowly loses lines, and does not hold up the process: a write that never ends is left
// alone.
func (w *Writer) Run(ctx context.Context, out io.Writer) {
	ended, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		w.put(out, failed)
	}()
	for {
		now := w.cfg.Now()
		wait := time.NewTimer(now.Truncate(every).Add(every).Sub(now))
		select {
		case <-wait.C:
			w.tell(ctx)
			continue
		case err := <-failed:
			w.note(err)
		case <-ctx.Done():
			w.tell(context.WithoutCancel(ctx))
			close(w.lines)
			limit := time.NewTimer(afterwards)
			defer limit.Stop()
			select {
			case <-ended:
			case <-limit.C:
			}
			select {
			case err := <-failed:
				w.note(err)
			default:
			}
			return
		}
		wait.Stop()
	}
}

// put writes what is told, and says of each write how it ended.
func (w *Writer) put(out io.Writer, failed chan<- error) {
	for text := range w.lines {
		_, err := out.Write(text)
		select {
		case failed <- err: // nil too
		default: // the one before was not looked at yet
		}
	}
}

func (w *Writer) note(err error) { w.ailing.Note(w.cfg.Log, "writing metrics for CloudWatch", err) }

// tell hands the lines of now over. What was counted is told again with the next ones if nobody takes these.
func (w *Writer) tell(ctx context.Context) {
	now := w.gather()
	text := w.text(ctx, now)
	select {
	case w.lines <- text:
		w.before = now
	default:
		w.note(errUnread)
	}
}

func (w *Writer) gather() families {
	gathered, err := w.cfg.Registry.Gather() // what it returns with an error is good
	if err != nil {
		w.cfg.Log.Debug("some metrics could not be gathered", zap.Error(err))
	}
	return byName(gathered)
}

// text returns the lines of now. What is not known is not among them: CloudWatch sees that it is missing.
func (w *Writer) text(ctx context.Context, now families) []byte {
	d := document{at: w.cfg.Now(), about: w.about()}
	for _, m := range measures() {
		if v, known := m.read(now, w.before); known {
			d.metrics, d.values = append(d.metrics, m.Metric), append(d.values, v)
		}
	}
	var text []byte
	if len(d.metrics) > 0 {
		text = w.append(text, d)
	}
	places := w.cfg.Places(ctx)
	for _, queue := range slices.Sorted(maps.Keys(places)) {
		w.learn(now, queue)
		if v, known := backlogOf(now, queue, w.means[queue], places[queue]); known {
			q := document{at: d.at, about: w.about(), metrics: []Metric{backlog()}, values: []float64{v}}
			q.about[DimensionQueue] = queue
			text = w.append(text, q)
		}
	}
	return text
}

// learn notes how long messages took since before.
func (w *Writer) learn(now families, queue string) {
	messages, took := now.handled(queue)
	were, before := w.before.handled(queue)
	if messages > were {
		w.means[queue] = max(0, took-before) / float64(messages-were)
	}
}

func (w *Writer) about() map[string]string {
	return map[string]string{DimensionInstallation: w.cfg.Installation, "Program": w.cfg.Program, "Task": w.cfg.Task}
}

func (w *Writer) append(text []byte, d document) []byte {
	line, err := d.line()
	if err != nil { // a value that JSON has no number for
		w.cfg.Log.Warn("a metric for CloudWatch has no number", zap.Error(err))
		return text
	}
	return append(text, line...)
}
