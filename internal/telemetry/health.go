package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Status is the verdict of one check or of the whole process.
type Status string

// The closed set of statuses.
const (
	StatusOK       Status = "ok"
	StatusDegraded Status = "degraded" // it does its job, but not all that belongs to it
	StatusFailing  Status = "failing"
	StatusDraining Status = "draining" // of a process only: it finishes its work and takes no more
)

// Check reports whether something the process depends on works: nil if it
// does. It is called from many goroutines over its life but never twice at
// once, should end when ctx does, and its error is shown to whoever may ask
// for readiness, so it must not carry a secret.
type Check func(ctx context.Context) error

// CheckResult is the outcome of one check.
type CheckResult struct {
	Name   string `json:"name" doc:"what was checked"`
	Status Status `json:"status" doc:"what came of it"`
	// Since is when the status became what it is, as far as anybody asked.
	Since time.Time `json:"since" doc:"since when the status is what it is, as far as anybody asked"`
	// AgeSeconds is how old this answer is: checks run at most every two seconds,
	// and one that hangs does not hold the others up.
	AgeSeconds float64 `json:"age_seconds" doc:"how old this answer is"`
	// Error says what is wrong; empty if Status is ok.
	Error string `json:"error,omitempty" doc:"what is wrong; absent if nothing is"`
}

// Report is the answer to a health question. Checks are sorted by name.
type Report struct {
	Status Status        `json:"status" doc:"of the process"`
	Checks []CheckResult `json:"checks,omitempty" doc:"by name"`
}

// OK reports whether the answer is yes: 200 rather than 503. A process that is
// degraded does its job.
func (r Report) OK() bool {
	return r.Status == StatusOK || r.Status == StatusDegraded
}

// Text returns the report for people, a line for the whole and one for each
// check.
func (r Report) Text(now time.Time) string {
	var b strings.Builder
	b.WriteString(string(r.Status) + "\n")
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s: %s for %v", c.Name, c.Status, max(now.Sub(c.Since), 0).Round(time.Second))
		if c.Error != "" {
			b.WriteString(": " + strings.Join(strings.Fields(c.Error), " "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

const (
	// fresh is how long an answer of a check stands, so that probes, however many
	// ask, are no load.
	fresh = 2 * time.Second
	// patience is how long Ready waits for checks that run: an orchestrator's own
	// patience is a second (https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/).
	patience = 800 * time.Millisecond
	// refreshEvery is how often checks run by themselves while somebody has asked
	// within interest: a slow failure, such as a time-out, is known to the next who
	// asks, not only to the one after.
	refreshEvery = 5 * time.Second
	interest     = 20 * time.Second
)

// Health is the registry of a process's checks. It is safe for concurrent use.
type Health struct {
	timeout time.Duration

	mu       sync.Mutex
	probes   []*probe // sorted by name
	draining bool
	changed  func(r CheckResult, after time.Duration)
	asked    time.Time
	again    *time.Timer // until checks run by themselves; nil when nobody asks
}

// NewHealth returns a registry without checks, which is ready. A check that
// has not ended within timeout (> 0) counts as failing.
func NewHealth(timeout time.Duration) *Health {
	return &Health{timeout: timeout}
}

// OnChange calls f when a check's status changes, beginning with the first that
// is not ok, and when one that gave no answer gives its reason; after is how long the status before had lasted.
// f must be quick. Call it before anybody asks.
func (h *Health) OnChange(f func(r CheckResult, after time.Duration)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed = f
}

// Register adds a check of something that the process cannot do its job
// without. The name must be new and not empty.
func (h *Health) Register(name string, check Check) error {
	return h.register(name, check, StatusFailing)
}

// RegisterOptional adds a check of something that the process can do its job
// without: when it fails, the process is degraded, and ready.
func (h *Health) RegisterOptional(name string, check Check) error {
	return h.register(name, check, StatusDegraded)
}

func (h *Health) register(name string, check Check, bad Status) error {
	if name == "" || check == nil {
		return errors.New("health check: needs a name and a function")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at, taken := slices.BinarySearchFunc(h.probes, name, func(p *probe, n string) int { return cmp.Compare(p.name, n) })
	if taken {
		return fmt.Errorf("health check %q: is registered already", name)
	}
	h.probes = slices.Insert(h.probes, at, &probe{name: name, check: check, bad: bad, timeout: h.timeout})
	return nil
}

// Drain makes the process not ready from now on, for good. It stays live: it
// still has work to finish, and must not be killed for that.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	if h.again != nil {
		h.again.Stop()
	}
}

// Live answers whether the process should be left running. It asks no check:
// restarting this process does not mend a dependency that is down.
func (h *Health) Live() Report {
	return Report{Status: StatusOK}
}

// Ready answers whether the process should be given work: every required check
// passes and it is not draining. Checks whose last answer is older than two
// seconds run, all at the same time; Ready waits 0.8 s for them, or until ctx
// ends. One that has not ended by then is told by its last answer, until its
// time-out: then it fails. A draining process answers at once, without asking.
func (h *Health) Ready(ctx context.Context) Report {
	h.mu.Lock()
	probes, draining, changed := slices.Clone(h.probes), h.draining, h.changed
	h.asked = time.Now()
	if h.again == nil && !draining {
		h.again = time.AfterFunc(refreshEvery, h.refresh)
	}
	h.mu.Unlock()
	if draining {
		return Report{Status: StatusDraining}
	}
	running := make([]<-chan struct{}, len(probes))
	for i, p := range probes {
		running[i] = p.start(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, done := range running {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	report := Report{Status: StatusOK}
	for _, p := range probes {
		result, after, news := p.result()
		if news && changed != nil {
			changed(result, after)
		}
		switch {
		case result.Status == StatusFailing:
			report.Status = StatusFailing
		case result.Status == StatusDegraded && report.Status == StatusOK:
			report.Status = StatusDegraded
		}
		report.Checks = append(report.Checks, result)
	}
	return report
}

// refresh runs the checks whose answers are no longer fresh, and comes again
// while somebody asks.
func (h *Health) refresh() {
	h.mu.Lock()
	if h.draining || time.Since(h.asked) > interest {
		h.again = nil
		h.mu.Unlock()
		return
	}
	probes := slices.Clone(h.probes)
	h.again.Reset(refreshEvery)
	h.mu.Unlock()
	for _, p := range probes {
		p.start(context.Background())
	}
}
