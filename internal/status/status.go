package status

import (
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// Health is how it is. The set is closed.
type Health string

// The states of health, the better first.
const (
	OK       Health = "ok"       // everything works
	Degraded Health = "degraded" // somebody waits or is held back, or something is lost that is not needed
	Failing  Health = "failing"  // nothing is accepted, or nothing is sent
)

// worse reports whether h is worse than o.
func (h Health) worse(o Health) bool {
	rank := map[Health]int{OK: 0, Degraded: 1, Failing: 2}
	return rank[h] > rank[o]
}

// Status is the system on one screen.
type Status struct {
	At       time.Time
	Health   Health
	Headline string    // one line of words
	Problems []Problem // the worst first; none: it is healthy

	Processes   []Seen
	Queues      []Queue
	Credentials []CredentialSum
	Lanes       []Lane
	Tenants     []Tenant
	Running     []Running
	More        bool // more is running than is shown
	Replays     []Replay
	Letters     Letters
	Pauses      []Pause
	Store       Store
	Rates       Rates
	Past        Past
	// Open is how many recipients of what is running have no outcome yet, as far as that was counted, and Oldest is when the
	// oldest of it was accepted.
	Open    int64
	Counted bool // Open is all of it
	Oldest  time.Time
	Missing []Missing // parts that could not be read, or are old
}

// Problem is something that is not as it should be.
type Problem struct {
	Health   Health
	What     string    // Nothing is sent: FCM does not answer
	Affected string    // who
	Since    time.Time // zero: not known
	Why      string
	Do       string // what to do about it
}

// Seen is a process as others see it.
type Seen struct {
	Process

	Age    time.Duration // since its last beat
	Silent bool          // it has missed so many that it is dead, hangs, or is cut off
}

// Queue is how full a queue is.
type Queue struct {
	Name      string
	Visible   int64
	InFlight  int64
	Delayed   int64
	OldestAge time.Duration // of a visible message; 0: none, or the queue does not tell
}

// CredentialSum is how all processes together stand with a credential: the worst of them, and the sums.
type CredentialSum struct {
	Credential

	Processes int // that send with it
}

// Lane is how all processes together work on a lane of delivery.
type Lane struct {
	Lane      string
	InHand    int64 // chunks that a process holds the lease of
	Places    int
	Window    int
	Processes int
	Open      int64     // recipients of what runs in it and was counted
	Oldest    time.Time // when the oldest of what runs in it was accepted; zero: nothing does
}

// Tenant is how it stands for a tenant of whom something runs or is paused.
type Tenant struct {
	Name     string
	Running  int
	Open     int64
	Oldest   time.Time
	Deferred int    // notifications that wait for a quota
	Paused   string // the widest pause of it, in words
}

// Running is a notification or batch that is not finished.
type Running struct {
	ID         string
	Tenant     string
	App        string
	State      string
	Title      string
	Priority   string
	Lane       push.Lane // that its chunks take
	Labels     map[string]string
	AcceptedAt time.Time
	Sources    int64 // addresses, users or lines that it was accepted with
	Accepted   int64 // recipients
	Open       int64
	Counted    bool // Accepted and Open are known
	Reason     string
	Waiting    string // what it waits for, in words
	Until      time.Time
	Credential string // whose breaker it waits for; "": none, or not known
}

// Replay is a replay that is not finished.
type Replay struct {
	ID        string
	State     string
	Phase     string
	By        string
	Why       string
	Total     int64
	Sent      int64
	CreatedAt time.Time
	Tenant    string
}

// Letters are the dead letters that wait for a decision.
type Letters struct {
	Parked int64
	Causes []Cause // the most frequent first
	Others int     // causes that are not among them
}

// Cause is what dead letters have in common.
type Cause struct {
	Fingerprint string
	Code        string
	Pattern     string
	Letters     int64
	First, Last time.Time
}

// Pause is a pause that stands.
type Pause struct {
	ID     string
	What   string
	Scope  string
	Tenant string
	App    string
	Lane   push.Lane
	Label  string // name=value, or name for any value
	By     string
	Reason string
	Since  time.Time
}

// Store is how the store is.
type Store struct {
	Backend string
	Took    time.Duration // one listing of the processes
	Error   string
	Disk    *Disk // the fullest; nil: there is none, or nobody says
}

// Missing is a part that could not be read, or is old.
type Missing struct {
	Part   string
	Reason string
	Age    time.Duration // of what is told instead; 0: nothing is
}
