package status

import "time"

// The kinds of process.
const (
	KindIngest     = "ingest"
	KindDispatcher = "dispatcher"
	KindReplayer   = "dlq-replayer"
	KindAllInOne   = "belfry"
)

// Process is a beat: what a process says of itself. It is stored, so names stay.
type Process struct {
	ID      string        `json:"id"`
	Kind    string        `json:"kind"`
	Version string        `json:"version,omitempty"`
	Started time.Time     `json:"started"`
	At      time.Time     `json:"at"`              // of this beat, by its own clock
	Every   time.Duration `json:"every"`           // until the next
	State   string        `json:"state,omitempty"` // ok, degraded, failing, draining
	Checks  []Check       `json:"checks,omitempty"`
	Workers []Worker      `json:"workers,omitempty"`
	// Credentials are those that it sends with.
	Credentials []Credential `json:"credentials,omitempty"`
	Disk        *Disk        `json:"disk,omitempty"`
	Totals      Totals       `json:"totals,omitzero"`
	Rates       Rates        `json:"rates,omitzero"`
	// Pauses are those that it knows of and keeps to. They are one document that everybody reads, and no part of a beat.
	Pauses []Pause `json:"-"`
	Past   Past    `json:"past,omitzero"`
}

// Sends reports whether it delivers.
func (p *Process) Sends() bool {
	for i := range p.Workers {
		if p.Workers[i].Lane != "" {
			return true
		}
	}
	return false
}

// Check is what one of its readiness checks says.
type Check struct {
	Name   string        `json:"name"`
	Status string        `json:"status"` // ok, degraded, failing
	Since  time.Time     `json:"since"`
	Age    time.Duration `json:"age,omitempty"` // of the answer, when the beat was written
	Reason string        `json:"reason,omitempty"`
}

// Worker is how it consumes a queue. In hand is how many messages it holds: of a lane, the chunks that it has leases on.
type Worker struct {
	Queue  string `json:"queue"`
	Lane   string `json:"lane,omitempty"` // of a lane of delivery
	InHand int64  `json:"in_hand"`
	Places int    `json:"places"`
	Window int    `json:"window,omitempty"` // requests under way of each chunk, at most
}

// Credential is how one process stands with a credential.
type Credential struct {
	Label       string    `json:"label"` // project, or project and key
	Apps        []string  `json:"apps,omitempty"`
	Breaker     string    `json:"breaker"` // closed, half_open, open
	Since       time.Time `json:"since,omitzero"`
	Until       time.Time `json:"until,omitzero"`
	Cause       string    `json:"cause,omitempty"`
	PausedUntil time.Time `json:"paused_until,omitzero"` // by FCM's quota
	Throttled   bool      `json:"throttled,omitempty"`   // FCM fails most
	InFlight    int       `json:"in_flight,omitempty"`
	Pace        float64   `json:"pace"`            // requests a second now
	Share       float64   `json:"share,omitempty"` // of the quota that it may use
	Stale       bool      `json:"stale,omitempty"` // the share is as it was known last
	Sick        float64   `json:"sick,omitempty"`  // share of failures lately
	Refused     string    `json:"refused,omitempty"`
	TokenAt     time.Time `json:"token_at,omitzero"`      // when its access token was fetched
	TokenUntil  time.Time `json:"token_until,omitzero"`   // when that expires
	Holding     int64     `json:"holding,omitempty"`      // chunks that wait in the worker
	Budget      float64   `json:"retry_budget,omitempty"` // retries that may be made at once
	Override    *Override `json:"override,omitempty"`     // what an operator holds its breaker in; nil: nothing
}

// Override is what an operator has decided of a credential's breaker.
type Override struct {
	State  string    `json:"state"` // open, closed
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is reset
}

// Disk is the disk of a data directory.
type Disk struct {
	Dir   string `json:"dir,omitempty"`
	Free  int64  `json:"free"`
	Total int64  `json:"total"`
}

// Totals are what it has counted since it started.
type Totals struct {
	Accepted int64 `json:"accepted,omitempty"` // notifications
	Ended    int64 `json:"ended,omitempty"`    // recipients with an outcome
	Sent     int64 `json:"sent,omitempty"`     // of them, those that FCM took

	ByClass map[string]int64 `json:"-"` // recipients with an outcome, by class
	Waits   []Waits          `json:"-"` // of recipients for their first request to FCM
}

// Rates are what came and went, per second, between the last two beats.
type Rates struct {
	Accepted float64 `json:"accepted,omitempty"`
	Ended    float64 `json:"ended,omitempty"`
	Sent     float64 `json:"sent,omitempty"`
}
