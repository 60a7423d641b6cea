package status

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/document"
	"github.com/belfry-push/belfry/internal/push"
)

// kindProcess is the kind of document that a beat is.
const kindProcess = "process"

const (
	// silentAfter is how many beats a process may miss before it counts as silent.
	silentAfter = 3
	// forgetAfter is how long what a dead process said last is kept.
	forgetAfter = 15 * time.Minute
	// tidyEvery is how often a process looks for what can be forgotten.
	tidyEvery = time.Minute
	// beatPatience bounds one write.
	beatPatience = 5 * time.Second
)

// BeatConfig is what the beats of a process are made from.
type BeatConfig struct {
	Docs    document.Store
	Log     *zap.Logger
	Now     func() time.Time
	ID      string // unique per start
	Version string
	Every   time.Duration // between two beats; 0 is DefaultEvery
}

// DefaultEvery is the time between two beats.
const DefaultEvery = 5 * time.Second

// Beats says every few seconds how a process is. Safe for concurrent use.
type Beats struct {
	cfg BeatConfig

	mu      sync.Mutex
	self    Process
	fill    []func(ctx context.Context, p *Process)
	version int64 // of the document, run's alone
	last    Process
	memory  memory // run's alone
	failing bool
	tidied  time.Time
	kick    chan struct{}
}

// NewBeats returns the beats of a process, which Run sends.
func NewBeats(cfg BeatConfig) *Beats {
	if cfg.Every == 0 {
		cfg.Every = DefaultEvery
	}
	b := &Beats{cfg: cfg, kick: make(chan struct{}, 1)}
	b.self = Process{ID: cfg.ID, Version: cfg.Version, Started: cfg.Now().UTC().Truncate(time.Millisecond), Every: cfg.Every}
	return b
}

// As says what kind of process it is; before, nothing is sent.
func (b *Beats) As(kind string) {
	b.mu.Lock()
	b.self.Kind = kind
	b.mu.Unlock()
	select {
	case b.kick <- struct{}{}:
	default: // it is known already
	}
}

// Show has f fill in a part of every beat. f is called from one goroutine, and must be quick.
func (b *Beats) Show(f func(ctx context.Context, p *Process)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill = append(b.fill, f)
}

// Self returns how the process is now.
func (b *Beats) Self(ctx context.Context) Process {
	b.mu.Lock()
	p, fill := b.self, slices.Clip(b.fill)
	b.mu.Unlock()
	for _, f := range fill {
		f(ctx, &p)
	}
	p.At = b.cfg.Now().UTC().Truncate(time.Millisecond)
	return p
}

// Run sends beats until ctx ends, and then takes the last one back: a process that has ended well is not missed.
func (b *Beats) Run(ctx context.Context) {
	tick := time.NewTicker(b.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			b.leave(context.WithoutCancel(ctx))
			return
		case <-tick.C:
		case <-b.kick:
		}
		b.beat(ctx)
	}
}

func (b *Beats) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beatPatience)
	defer cancel()
	p := b.Self(ctx)
	if p.Kind == "" {
		return
	}
	p.Rates = between(&b.last, &p)
	p.Past = b.memory.note(p.At, p.Totals.ByClass, p.Totals.Waits)
	b.last = p
	err := b.put(ctx, &p)
	switch {
	case ctx.Err() != nil && err != nil && errors.Is(ctx.Err(), context.Canceled):
		return
	case err != nil && !b.failing:
		b.cfg.Log.Warn("the status of this process cannot be written; others may take it for dead", zap.Error(err))
	case err == nil && b.failing:
		b.cfg.Log.Info("the status of this process can be written again")
	}
	b.failing = err != nil
	if now := b.cfg.Now(); err == nil && now.Sub(b.tidied) >= tidyEvery {
		b.tidied = now
		// What cannot be forgotten now is the next one's.
		_, _ = document.Forget(ctx, b.cfg.Docs, kindProcess, now.Add(-forgetAfter), anyBeat)
	}
}

func anyBeat(context.Context, *document.Document) (bool, error) { return true, nil }

// put stores a beat. The document is this process's alone, but a write that timed out may have been made, and one that
// could not write for long was forgotten by others.
func (b *Beats) put(ctx context.Context, p *Process) error {
	err := document.Save(ctx, b.cfg.Docs, kindProcess, b.cfg.ID, b.version+1, p, b.cfg.Now())
	if errors.Is(err, push.ErrConflict) {
		var stored document.Document
		stored, err = b.cfg.Docs.Document(ctx, kindProcess, b.cfg.ID)
		if err != nil && !errors.Is(err, push.ErrNotFound) {
			return err
		}
		b.version = stored.Version
		err = document.Save(ctx, b.cfg.Docs, kindProcess, b.cfg.ID, b.version+1, p, b.cfg.Now())
	}
	if err == nil {
		b.version++
	}
	return err
}

func (b *Beats) leave(ctx context.Context) {
	if b.version == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, beatPatience)
	defer cancel()
	// What stays is forgotten when it is old.
	_ = b.cfg.Docs.DeleteDocument(ctx, kindProcess, b.cfg.ID, b.version)
}

// between returns what came and went per second between two beats of a process.
func between(last, now *Process) Rates {
	span := now.At.Sub(last.At).Seconds()
	if last.At.IsZero() || span <= 0 {
		return Rates{}
	}
	per := func(a, b int64) float64 { return max(0, float64(b-a)/span) }
	return Rates{
		Accepted: per(last.Totals.Accepted, now.Totals.Accepted), Ended: per(last.Totals.Ended, now.Totals.Ended),
		Sent: per(last.Totals.Sent, now.Totals.Sent),
	}
}

// processes returns what all processes said last, O(processes).
func processes(ctx context.Context, docs document.Store) ([]Process, error) {
	const page = 1000
	var all []Process
	for cursor := ""; ; {
		found, next, err := docs.Documents(ctx, kindProcess, cursor, page)
		if err != nil {
			return nil, err
		}
		for i := range found {
			var p Process
			if err := json.Unmarshal(found[i].Body, &p); err != nil {
				p = Process{ID: found[i].Name, Kind: "unknown", At: found[i].UpdatedAt} // of a newer program
			}
			all = append(all, p)
		}
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

// silent reports whether a process whose last beat is so old has missed too many.
func silent(p *Process, age time.Duration) bool { return age > silentAfter*max(p.Every, time.Second) }

// Places returns how many messages of each queue all processes but one have in hand at once at the most, by the last word of
// those that are not silent: O(processes).
func Places(ctx context.Context, docs document.Store, but string, now time.Time) (map[string]int, error) {
	all, err := processes(ctx, docs)
	out := map[string]int{}
	for i := range all {
		p := &all[i]
		if p.ID == but || silent(p, now.Sub(p.At)) {
			continue
		}
		for _, w := range p.Workers {
			out[w.Queue] += w.Places
		}
	}
	return out, err
}
