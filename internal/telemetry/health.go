package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Status is the verdict of one check or of the whole process.
type Status string

// The closed set of statuses.
const (
	StatusOK       Status = "ok"
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
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Error says what is wrong; empty if Status is ok.
	Error string `json:"error,omitempty"`
}

// Report is the answer to a health question. Checks are sorted by name.
type Report struct {
	Status Status        `json:"status"`
	Checks []CheckResult `json:"checks,omitempty"`
}

// OK reports whether the answer is yes: 200 rather than 503.
func (r Report) OK() bool {
	return r.Status == StatusOK
}

// Health is the registry of a process's checks. It is safe for concurrent use.
type Health struct {
	timeout time.Duration

	mu       sync.Mutex
	probes   []*probe // sorted by name
	draining bool
}

// NewHealth returns a registry without checks, which is ready. A check that
// has not ended within timeout (> 0) counts as failing.
func NewHealth(timeout time.Duration) *Health {
	return &Health{timeout: timeout}
}

// Register adds a check. The name must be new and not empty.
func (h *Health) Register(name string, check Check) error {
	if name == "" || check == nil {
		return errors.New("health check: needs a name and a function")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at, taken := slices.BinarySearchFunc(h.probes, name, func(p *probe, n string) int { return cmp.Compare(p.name, n) })
	if taken {
		return fmt.Errorf("health check %q: is registered already", name)
	}
	h.probes = slices.Insert(h.probes, at, &probe{name: name, check: check})
	return nil
}

// Drain makes the process not ready from now on, for good. It stays live: it
// still has work to finish, and must not be killed for that.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// Live answers whether the process should be left running. It asks no check:
// restarting this process does not mend a dependency that is down.
func (h *Health) Live() Report {
	return Report{Status: StatusOK}
}

// Ready answers whether the process should be given work: every check passes
// and it is not draining. The checks run at the same time; Ready returns when
// all have ended, at the latest after the registry's timeout or when ctx ends.
// A draining process answers at once, without asking.
func (h *Health) Ready(ctx context.Context) Report {
	h.mu.Lock()
	probes, draining := slices.Clone(h.probes), h.draining
	h.mu.Unlock()
	if draining {
		return Report{Status: StatusDraining}
	}

	runs := make([]*run, len(probes))
	for i, p := range probes {
		runs[i] = p.start(ctx, h.timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()

	report := Report{Status: StatusOK}
	for i, p := range probes {
		result := CheckResult{Name: p.name, Status: StatusOK}
		if err := runs[i].wait(ctx); err != nil {
			result.Status, result.Error = StatusFailing, err.Error()
			report.Status = StatusFailing
		}
		report.Checks = append(report.Checks, result)
	}
	return report
}
