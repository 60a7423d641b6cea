package doctor

import (
	"context"
	"time"
)

// Status is how bad a result is.
type Status string

// The statuses, from good to bad. Skipped means that there was nothing to check
// or no way to.
const (
	StatusOK      Status = "ok"
	StatusSkipped Status = "skipped"
	StatusWarning Status = "warning"
	StatusFailed  Status = "failed"
)

// Result is what one check found.
type Result struct {
	Name   string `json:"name"` // what was checked: "queue belfry-events"
	Status Status `json:"status"`
	Detail string `json:"detail"`           // what was found
	Remedy string `json:"remedy,omitempty"` // what to do about it, where something is wrong
}

// Report is the whole of an examination.
type Report struct {
	Results []Result `json:"results"`
}

// Count returns how many results have the status.
func (r Report) Count(s Status) int {
	n := 0
	for _, x := range r.Results {
		if x.Status == s {
			n++
		}
	}
	return n
}

// Healthy reports whether nothing failed; warnings do not count.
func (r Report) Healthy() bool { return r.Count(StatusFailed) == 0 }

// Check examines one thing and what depends on it.
type Check func(ctx context.Context) []Result

// checkTimeout bounds one check: longer than the SDK takes to give up on an
// endpoint that does not answer, three times.
const checkTimeout = 45 * time.Second

// Run runs the checks one after the other, each for at most 45 seconds, and
// returns their results in that order.
func Run(ctx context.Context, checks ...Check) Report {
	r := Report{Results: []Result{}}
	for _, check := range checks {
		limited, cancel := context.WithTimeout(ctx, checkTimeout)
		r.Results = append(r.Results, check(limited)...)
		cancel()
	}
	return r
}

func ok(name, detail string) Result { return Result{Name: name, Status: StatusOK, Detail: detail} }

func skipped(name, detail string) Result {
	return Result{Name: name, Status: StatusSkipped, Detail: detail}
}

func warning(name, detail, remedy string) Result {
	return Result{Name: name, Status: StatusWarning, Detail: detail, Remedy: remedy}
}

func failed(name, detail, remedy string) Result {
	return Result{Name: name, Status: StatusFailed, Detail: detail, Remedy: remedy}
}
