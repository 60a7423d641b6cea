package client

import (
	"context"
	"time"
)

// Health is how the system is.
type Health string

// The states of health, the better first.
const (
	HealthOK       Health = "ok"       // everything works
	HealthDegraded Health = "degraded" // somebody waits or is held back, or something is missing that is not needed
	HealthFailing  Health = "failing"  // nothing is accepted, or nothing is sent
)

// Status is the system on one screen.
type Status struct {
	At       time.Time `json:"at" doc:"as of when"`
	Health   Health    `json:"health" enum:"ok,degraded,failing" doc:"how it is, which is the worst of the problems"`
	Headline string    `json:"headline" doc:"the same in words"`
	Problems []Trouble `json:"problems" doc:"the worst first; none if everything works"`

	Processes   []StatusProcess    `json:"processes" doc:"with the permission platform: every process that was heard from in the last quarter of an hour"`
	Queues      []StatusQueue      `json:"queues" doc:"with the permission platform: every queue, dead-letter queues behind the others"`
	Credentials []StatusCredential `json:"credentials" doc:"with the permission platform: every FCM credential in use, the most troubled first"`
	Lanes       []StatusLane       `json:"lanes" doc:"with the permission platform: how dispatchers work on each lane"`
	Tenants     []StatusTenant     `json:"tenants" doc:"of whom something runs or is paused, those with the most open recipients first"`
	Running     []StatusRunning    `json:"running" doc:"notifications and batches that are not finished: the oldest hundred, of a tenant its newest"`
	More        bool               `json:"more,omitempty" doc:"more is running than is shown"`
	Open        int64              `json:"open" doc:"recipients of what is shown as running that have no outcome yet"`
	Counted     bool               `json:"counted" doc:"open is all of it: nothing is left out, and everything was counted"`
	Oldest      *time.Time         `json:"oldest,omitempty" doc:"when the oldest of what is running was accepted"`
	Replays     []StatusReplay     `json:"replays" doc:"with the permission platform: replays that are not finished"`
	Letters     StatusLetters      `json:"dead_letters" doc:"dead letters that wait for a decision"`
	Pauses      []StatusPause      `json:"pauses" doc:"pauses that stand"`
	Store       *StatusStore       `json:"store,omitempty" doc:"with the permission platform: how the store is"`
	Rates       *StatusRates       `json:"rates,omitempty" doc:"with the permission platform: what comes and goes per second, over the last seconds"`
	Past        *StatusPast        `json:"past,omitempty" doc:"with the permission platform: the last hour, of processes that were heard from lately"`
	Missing     []StatusMissing    `json:"missing" doc:"parts that could not be read, or are older than they should be"`
}

// Trouble is something that is not as it should be.
type Trouble struct {
	Health   Health     `json:"health" enum:"degraded,failing" doc:"how bad it is"`
	What     string     `json:"what" doc:"what is the matter"`
	Affected string     `json:"affected" doc:"who is affected"`
	Since    *time.Time `json:"since,omitempty" doc:"since when; absent if that is not known"`
	Why      string     `json:"why" doc:"why, as far as is known"`
	Do       string     `json:"do,omitempty" doc:"what to do about it"`
}

// StatusProcess is a process.
type StatusProcess struct {
	ID      string         `json:"id" doc:"host, process id and start"`
	Kind    string         `json:"kind" doc:"ingest, dispatcher, dlq-replayer, or belfry for all in one"`
	Version string         `json:"version,omitempty" doc:"of the program"`
	State   string         `json:"state" doc:"ok, degraded, failing, draining, or silent"`
	Started time.Time      `json:"started" doc:"when it started"`
	At      time.Time      `json:"at" doc:"when it was heard from last"`
	Age     float64        `json:"age_seconds" doc:"how long ago that is"`
	Checks  []StatusCheck  `json:"checks,omitempty" doc:"its readiness checks"`
	Workers []StatusWorker `json:"workers,omitempty" doc:"how it consumes queues"`
	Rates   StatusRates    `json:"rates" doc:"what comes and goes through it"`
}

// ProcessStatus is what a process says of itself at /statusz, with the credentials that it sends with and the pauses that it keeps to.
type ProcessStatus struct {
	StatusProcess

	Credentials []StatusCredential `json:"credentials" doc:"FCM credentials that this process sends with"`
	Pauses      []StatusPause      `json:"pauses" doc:"pauses that this process knows of and keeps to"`
}

// StatusCheck is what a readiness check says.
type StatusCheck struct {
	Name   string    `json:"name" doc:"what is checked"`
	Status string    `json:"status" doc:"ok, degraded or failing"`
	Since  time.Time `json:"since" doc:"since when"`
	Age    float64   `json:"age_seconds" doc:"how old the answer was when the process was heard from"`
	Reason string    `json:"reason,omitempty" doc:"what is wrong"`
}

// StatusWorker is how a process consumes a queue.
type StatusWorker struct {
	Queue  string `json:"queue" doc:"which"`
	Lane   string `json:"lane,omitempty" doc:"the lane of delivery, if it is one"`
	InHand int64  `json:"in_hand" doc:"messages that it holds; of a lane, chunks that it has leased"`
	Places int    `json:"places" doc:"messages that it may hold"`
	Window int    `json:"window,omitempty" doc:"requests under way for each chunk, at most"`
}

// StatusQueue is how full a queue is.
type StatusQueue struct {
	Name      string  `json:"name" doc:"its name, without the installation's prefix"`
	Visible   int64   `json:"visible" doc:"messages that wait for a worker"`
	InFlight  int64   `json:"in_flight" doc:"messages that a worker has"`
	Delayed   int64   `json:"delayed" doc:"messages that wait for their time"`
	OldestAge float64 `json:"oldest_age_seconds,omitempty" doc:"age of the oldest that waits for a worker; absent if there is none, or the queue does not tell"`
}

// StatusCredential is how all processes together stand with an FCM credential.
type StatusCredential struct {
	Label       string     `json:"label" doc:"project, or project and key"`
	Apps        []string   `json:"apps,omitempty" doc:"some of the apps that have it; absent for the installation's own"`
	Processes   int        `json:"processes" doc:"how many send with it"`
	Breaker     string     `json:"breaker" doc:"closed, half_open or open: the worst of all processes"`
	Since       *time.Time `json:"since,omitempty" doc:"since when"`
	Until       *time.Time `json:"until,omitempty" doc:"before that nothing probes"`
	Cause       string     `json:"cause,omitempty" doc:"code of the answer that opened it"`
	PausedUntil *time.Time `json:"paused_until,omitempty" doc:"FCM asked for too much to be sent no more before that"`
	Throttled   bool       `json:"throttled,omitempty" doc:"few requests are made, because FCM fails most"`
	Sick        float64    `json:"sick,omitempty" doc:"share of failures among the latest answers"`
	InFlight    int        `json:"in_flight" doc:"requests under way"`
	Pace        float64    `json:"pace" doc:"requests a second that may be made now"`
	Quota       float64    `json:"quota,omitempty" doc:"requests a second of the project's quota that these processes have"`
	Stale       bool       `json:"stale,omitempty" doc:"the shared quota cannot be asked: quota is what was known last"`
	Holding     int64      `json:"holding,omitempty" doc:"chunks that wait in workers for leave to send"`
	Retries     float64    `json:"retry_budget,omitempty" doc:"retries that may be made at once"`
	Refused     string     `json:"refused,omitempty" doc:"why Google refuses it"`
	TokenAt     *time.Time `json:"token_at,omitempty" doc:"when the oldest access token in use was fetched"`
	TokenUntil  *time.Time `json:"token_until,omitempty" doc:"when it expires"`

	Override *BreakerOverride `json:"override,omitempty" doc:"what an operator holds its breaker in; absent: nothing"`
}

// StatusLane is how all processes together work on a lane.
type StatusLane struct {
	Lane      string `json:"lane" doc:"high, bulk or replay"`
	InHand    int64  `json:"in_hand" doc:"chunks that are leased"`
	Places    int    `json:"places" doc:"chunks that may be"`
	Window    int    `json:"window" doc:"requests under way for each, at most"`
	Processes int    `json:"processes" doc:"how many work on it"`

	Open   int64      `json:"open" doc:"recipients without an outcome of what is shown as running in it"`
	Oldest *time.Time `json:"oldest,omitempty" doc:"when the oldest of what is running in it was accepted"`
}

// StatusTenant is how it stands for a tenant.
type StatusTenant struct {
	Name     string     `json:"name" doc:"its name"`
	Running  int        `json:"running" doc:"notifications and batches of it that are shown as running"`
	Open     int64      `json:"open" doc:"recipients of them without an outcome"`
	Oldest   *time.Time `json:"oldest,omitempty" doc:"when the oldest of them was accepted"`
	Deferred int        `json:"deferred,omitempty" doc:"those that wait for a quota of the tenant"`
	Paused   string     `json:"paused,omitempty" doc:"what of it is paused"`
}

// StatusRunning is a notification or batch that is not finished.
type StatusRunning struct {
	ID         string     `json:"id" doc:"its id"`
	Tenant     string     `json:"tenant" doc:"whose"`
	App        string     `json:"app" doc:"of which app"`
	State      string     `json:"state" doc:"as of the notification"`
	Title      string     `json:"title,omitempty" doc:"of its message"`
	Priority   string     `json:"priority,omitempty" doc:"as it was accepted with"`
	AcceptedAt time.Time  `json:"accepted_at" doc:"when it was accepted"`
	Sources    int64      `json:"sources" doc:"addresses, users or lines that it was accepted with"`
	Accepted   int64      `json:"accepted" doc:"recipients; 0 until counted"`
	Open       int64      `json:"open" doc:"recipients without an outcome; 0 until counted"`
	Counted    bool       `json:"counted" doc:"accepted and open are known"`
	Reason     string     `json:"reason,omitempty" doc:"the reason why it waits, as waiting of a notification has it"`
	Waiting    string     `json:"waiting,omitempty" doc:"the same in words"`
	Until      *time.Time `json:"until,omitempty" doc:"when it is looked at again"`
}

// StatusReplay is a replay that is not finished.
type StatusReplay struct {
	ID        string    `json:"id" doc:"its id"`
	State     string    `json:"state" doc:"running, paused or stopped"`
	Phase     string    `json:"phase,omitempty" doc:"canary, watch, main or settle"`
	By        string    `json:"by,omitempty" doc:"who started it"`
	Why       string    `json:"why,omitempty" doc:"why its state is what it is"`
	Tenant    string    `json:"tenant,omitempty" doc:"whose letters; absent for several"`
	Total     int64     `json:"total" doc:"letters that it was simulated with"`
	CreatedAt time.Time `json:"created_at" doc:"when it was started"`
}

// StatusLetters are dead letters.
type StatusLetters struct {
	Parked int64         `json:"parked" doc:"how many wait for a decision"`
	Causes []StatusCause `json:"causes" doc:"why they died, the most frequent first"`
	Others int           `json:"others,omitempty" doc:"causes that are not shown"`
}

// StatusCause is what dead letters have in common.
type StatusCause struct {
	Fingerprint string    `json:"fingerprint" doc:"as of the group of dead letters"`
	Code        string    `json:"code" doc:"of the last answer"`
	Pattern     string    `json:"pattern,omitempty" doc:"what was said"`
	Letters     int64     `json:"letters" doc:"how many"`
	First       time.Time `json:"first" doc:"when the first of them died"`
	Last        time.Time `json:"last" doc:"when the last of them died"`
}

// StatusPause is a pause that stands.
type StatusPause struct {
	ID     string     `json:"id" doc:"with it the pause is lifted"`
	What   string     `json:"what" doc:"what is paused, in words"`
	Scope  PauseScope `json:"scope" doc:"what is paused"`
	Tenant string     `json:"tenant,omitempty" doc:"whose; absent: everybody's"`
	App    string     `json:"app,omitempty" doc:"which; absent: all of the tenant's"`
	Lane   Lane       `json:"lane,omitempty" doc:"of the scope lane: which"`
	Label  string     `json:"label,omitempty" doc:"of the scope label: name=value, or name for any value"`
	By     string     `json:"by" doc:"who asked for it"`
	Reason string     `json:"reason,omitempty" doc:"why"`
	Since  time.Time  `json:"since" doc:"since when"`
}

// StatusStore is how the store is.
type StatusStore struct {
	Backend   string  `json:"backend" doc:"embedded or aws"`
	Seconds   float64 `json:"seconds" doc:"how long it took to list the processes"`
	Error     string  `json:"error,omitempty" doc:"why it could not"`
	DiskFree  int64   `json:"disk_free,omitempty" doc:"bytes free on the fullest disk of a data directory"`
	DiskTotal int64   `json:"disk_total,omitempty" doc:"its size in bytes"`
}

// StatusRates are what comes and goes per second.
type StatusRates struct {
	Accepted float64 `json:"accepted" doc:"notifications accepted"`
	Ended    float64 `json:"ended" doc:"recipients that got their outcome"`
	Sent     float64 `json:"sent" doc:"of them, those that FCM took"`
}

// StatusPast is what processes remember of the last hour. One that has ended takes its part with it.
type StatusPast struct {
	Until time.Time          `json:"until" doc:"end of the last minute, which is not over"`
	Ended map[string][]int64 `json:"ended" doc:"recipients that got their outcome, by class: of each minute, that of until at the end; at most 60"`
	ToFCM *StatusWaits       `json:"time_to_fcm,omitempty" doc:"over the last five minutes; absent if nothing was sent"`
}

// StatusWaits are the seconds from acceptance, or from the start of a batch, to the first request to FCM.
type StatusWaits struct {
	Count int64   `json:"count" doc:"recipients whose first request is counted"`
	P50   float64 `json:"p50_seconds" doc:"half of them waited no longer"`
	P95   float64 `json:"p95_seconds" doc:"95 % of them waited no longer"`
	P99   float64 `json:"p99_seconds" doc:"99 % of them waited no longer"`
}

// StatusMissing is a part that could not be read, or is old.
type StatusMissing struct {
	Part   string  `json:"part" doc:"which"`
	Reason string  `json:"reason" doc:"why"`
	Age    float64 `json:"age_seconds,omitempty" doc:"age of what is told instead; absent: nothing is"`
}

// Status returns how the system is: all of it with a key that has the permission platform, else what is the tenant's.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.do(ctx, get("/v1/status", nil), &s)
	return s, err
}
