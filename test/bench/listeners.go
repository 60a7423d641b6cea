package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// listeners is how many follow what happens at a time in -listeners.
const listeners = 50

// The settings that -listeners compares: nobody follows, the same again, and so many who follow everything, or nothing
// that happens.
const (
	nobodyName  = "nobody"
	nobodyAgain = "nobody_again"
	pickyName   = "picky"
	followName  = "everything"
)

func listenerSettings() []string { return []string{nobodyName, nobodyAgain, pickyName, followName} }

func listenerLabel(name string) string {
	return map[string]string{
		nobodyName: "nobody follows", nobodyAgain: "the same again: noise",
		pickyName:  fmt.Sprintf("%d follow breakers only", listeners),
		followName: fmt.Sprintf("%d follow everything", listeners),
	}[name]
}

// Listening is what following costs, by setting.
type Listening struct {
	plan

	Singles   int              `json:"singles"` // requests of one recipient each, after the batch
	Listeners int              `json:"listeners"`
	Go        string           `json:"go"`
	Cores     int              `json:"cores"`
	Begun     time.Time        `json:"begun"`
	Rounds    []ListeningRound `json:"round"`
}

// ListeningRound is what each setting came to in one round.
type ListeningRound map[string]ListeningSample

// ListeningSample is processor time of all programs in microseconds a notification, notifications a second, and what a
// listener had of them, on average.
type ListeningSample struct {
	BatchCPU   float64 `json:"batch_cpu_us"`
	BatchRate  float64 `json:"batch_per_second"`
	SingleCPU  float64 `json:"single_cpu_us"`
	SingleRate float64 `json:"single_per_second"`
	Events     float64 `json:"events"`
	Missing    float64 `json:"missing"`
}

// listening measures the settings in shuffled rounds, and says on progress how far it is.
func listening(ctx context.Context, p plan, progress io.Writer) (l Listening, err error) {
	m, end, err := prepare(ctx, p)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, end()) }()
	l = Listening{
		plan: p, Singles: max(1, p.Recipients/singlesShare), Listeners: listeners, Go: runtime.Version(), Cores: runtime.NumCPU(),
		Begun: time.Now().UTC().Truncate(time.Second),
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(progress, format, args...) }
	say("%d rounds of a batch of %d and %d single notifications, with each of %d settings\n", p.Rounds, p.Recipients, l.Singles,
		len(listenerSettings()))
	if _, err := m.pipeline(ctx, m.known); err != nil { // gets to know the devices
		return l, err
	}
	for i := range p.Rounds {
		say("round %d:", i+1)
		round := ListeningRound{}
		for _, at := range rand.Perm(len(listenerSettings())) { //nolint:gosec // an order, not a secret
			name := listenerSettings()[at]
			say(" %s", name)
			if round[name], err = m.listenOne(ctx, &l, name); err != nil {
				say("\n")
				return l, fmt.Errorf("%s: %w", name, err)
			}
		}
		say("\n")
		l.Rounds = append(l.Rounds, round)
	}
	return l, nil
}

// listenOne has a site send a batch, and then single notifications, while as many follow as a setting says.
func (m *machine) listenOne(ctx context.Context, l *Listening, name string) (s ListeningSample, err error) {
	site, err := m.openSite(ctx, m.known, m.url+"/v1", 1)
	if err != nil {
		return s, err
	}
	defer func() { _ = site.end() }()
	var crowd crowd
	if query := map[string]string{pickyName: "?type=breaker", followName: "?"}[name]; query != "" {
		if err := crowd.open(ctx, "http://"+site.ingest.said+"/v1/events"+query, l.Listeners); err != nil {
			return s, err
		}
		defer crowd.close()
		if err := settleIn(ctx); err != nil {
			return s, err
		}
	}
	batch, err := site.weighBatch(ctx, load{batches: 1, recipients: l.Recipients})
	if err != nil {
		return s, err
	}
	single, err := site.weighSingles(ctx, l.Singles)
	if err != nil {
		return s, err
	}
	crowd.close()
	if failed := crowd.failed.Load(); failed != nil {
		return s, *failed
	}
	return ListeningSample{
		BatchCPU: batch.cpu / float64(l.Recipients), BatchRate: float64(l.Recipients) / batch.took.Seconds(),
		SingleCPU: single.cpu / float64(l.Singles), SingleRate: float64(l.Singles) / single.took.Seconds(),
		Events: float64(crowd.events.Load()) / float64(l.Listeners), Missing: float64(crowd.missing.Load()) / float64(l.Listeners),
	}, nil
}

// settleIn waits until every process knows that somebody follows: they look every two seconds.
func settleIn(ctx context.Context) error {
	const enough = 4 * time.Second
	wait := time.NewTimer(enough)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-wait.C:
		return nil
	}
}

// crowd follows what happens over connections of their own, and reads all that it is sent.
type crowd struct {
	stop            context.CancelFunc
	gone            sync.WaitGroup
	events, missing atomic.Int64
	failed          atomic.Pointer[error]
}

// open has so many follow, and returns once all are answered.
func (c *crowd) open(ctx context.Context, url string, n int) error {
	ctx, c.stop = context.WithCancel(ctx)
	for range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("bench: %s: %s", url, res.Status)
		}
		c.gone.Go(func() { c.read(ctx, res.Body) })
	}
	return nil
}

// read counts what a stream has until it is closed.
func (c *crowd) read(ctx context.Context, body io.ReadCloser) {
	defer func() { _ = body.Close() }()
	gap := false
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20) //nolint:mnd // far more than an event has
	for lines.Scan() {
		kind, isKind := strings.CutPrefix(lines.Text(), "event: ")
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case isKind:
			if gap = kind == "gap"; !gap {
				c.events.Add(1)
			}
		case isData && gap:
			var lost struct{ Events int64 }
			_ = json.Unmarshal([]byte(data), &lost) // null is 0: nobody counted them
			c.missing.Add(lost.Events)
		}
	}
	if err := lines.Err(); ctx.Err() == nil {
		err = errors.Join(errors.New("bench: a stream ended"), err)
		c.failed.Store(&err)
	}
}

// close ends all of them. It may be called again, and if nobody ever followed.
func (c *crowd) close() {
	if c.stop != nil {
		c.stop()
	}
	c.gone.Wait()
}

// middle is the median over rounds.
func (l *Listening) middle(of func(ListeningRound) float64) float64 {
	all := make([]float64, len(l.Rounds))
	for i, r := range l.Rounds {
		all[i] = of(r)
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// table shows the results in 80 columns.
func (l *Listening) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s: %d rounds of a batch of %d, then %d\n"+
		"requests of one recipient, ingest and dispatcher, FCM stand-in over TLS at %v;\n"+
		"processor time of both a notification and notifications a second, medians;\n"+
		"× is the median of the ratios to \"nobody follows\" in the same round\n\n",
		l.Begun.Format(time.DateOnly), l.Cores, l.Go, len(l.Rounds), l.Recipients, l.Singles, l.Latency)
	fmt.Fprintf(&b, "%-24s %9s %5s %8s %5s\n", "of the batch", "CPU", "×", "rate", "×")
	l.rows(&b, func(s ListeningSample) (cpu, rate float64) { return s.BatchCPU, s.BatchRate })
	fmt.Fprintf(&b, "%-24s %9s %5s %8s %5s\n", "one by one", "CPU", "×", "rate", "×")
	l.rows(&b, func(s ListeningSample) (cpu, rate float64) { return s.SingleCPU, s.SingleRate })
	fmt.Fprintf(&b, "\nEach of the %d who follow everything had %.0f events and was told of %.0f more.\n", l.Listeners,
		l.middle(func(r ListeningRound) float64 { return r[followName].Events }),
		l.middle(func(r ListeningRound) float64 { return r[followName].Missing }))
	return b.String()
}

func (l *Listening) rows(b *strings.Builder, of func(ListeningSample) (cpu, rate float64)) {
	for _, name := range listenerSettings() {
		cpu := func(r ListeningRound) float64 { c, _ := of(r[name]); return c }
		rate := func(r ListeningRound) float64 { _, v := of(r[name]); return v }
		base := func(r ListeningRound) (cpu, rate float64) { return of(r[nobodyName]) }
		fmt.Fprintf(b, "%-24s %6.0f µs %5.2f %6.0f/s %5.2f\n", listenerLabel(name), l.middle(cpu),
			l.middle(func(r ListeningRound) float64 { c, _ := base(r); return cpu(r) / c }), l.middle(rate),
			l.middle(func(r ListeningRound) float64 { _, v := base(r); return rate(r) / v }))
	}
}

// The marks of a document's part about what following costs.
const (
	listenersBegin = "<!-- listeners: begin -->"
	listenersEnd   = "<!-- listeners: end -->"
)

// runListeners measures, or takes results from a file, and reports.
func (o options) runListeners(ctx context.Context, out, errs io.Writer) error {
	var l Listening
	var err error
	if o.from != "" {
		err = readJSON(o.from, &l)
	} else {
		l, err = listening(ctx, o.plan, errs)
	}
	if err != nil {
		return err
	}
	if len(l.Rounds) == 0 {
		return errors.New("bench: no round was measured")
	}
	_, err = io.WriteString(out, l.table())
	if o.out != "" {
		err = errors.Join(err, writeJSON(o.out, l))
	}
	if o.update != "" {
		err = errors.Join(err, replace(o.update, listenersBegin, listenersEnd, "```text\n"+l.table()+"```\n"))
	}
	return err
}
