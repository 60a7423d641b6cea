package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Role is a half of the dispatcher.
type Role string

// The roles.
const (
	RoleFanout  Role = "fanout"  // turns notifications into chunks
	RoleDeliver Role = "deliver" // sends chunks to FCM
)

// Roles are the halves that a dispatcher runs.
type Roles []Role

// Has reports whether the role is among them.
func (r Roles) Has(role Role) bool { return slices.Contains(r, role) }

func (r Roles) check(f *Faults) {
	texts := make([]string, len(r))
	seen := map[Role]bool{}
	bad := len(r) == 0
	for i, role := range r {
		texts[i] = string(role)
		bad = bad || seen[role] || role != RoleFanout && role != RoleDeliver
		seen[role] = true
	}
	if bad {
		f.add("roles", strings.Join(texts, ","), "must be fanout, deliver or fanout,deliver")
	}
}

// checker is a group of settings that belong together.
type checker interface{ check(*Faults) }

func checkAll(groups ...checker) Faults {
	var f Faults
	for _, g := range groups {
		g.check(&f)
	}
	return f
}

// What the services are for, as their help says.
const (
	AboutIngest     = "Accept send requests over HTTP and from the events queue."
	AboutDispatcher = "Turn accepted notifications into chunks and send these to FCM."
)

// Ingest is the configuration of cmd/ingest: the HTTP API and the event
// consumer.
type Ingest struct {
	Store Store `embed:""`
	API   API   `embed:""`

	Seal   Seal   `embed:""`
	Asking Asking `embed:""`

	Janitor    Janitor    `embed:""`
	Keep       Keep       `embed:""`
	CloudWatch CloudWatch `embed:""`
	Listeners  Listeners  `embed:""`
	Stop       Stop       `embed:""`
	Log        Log        `embed:""`
}

// Validate reports everything that is wrong, as [Faults].
func (c Ingest) Validate() error {
	return checkAll(c.Store, c.API, c.Asking, c.Janitor, c.Keep, c.Listeners, c.Stop, c.Log).Err()
}

// Dispatcher is the configuration of cmd/dispatcher: fanout and delivery.
type Dispatcher struct {
	Roles    Roles    `default:"fanout,deliver" env:"BELFRY_ROLES" group:"send" placeholder:"ROLE" help:"Halves to run: fanout, deliver or both."`
	Store    Store    `embed:""`
	FCM      FCM      `embed:""`
	Seal     Seal     `embed:""`
	Delivery Delivery `embed:""`
	Metrics  Metrics  `embed:""`

	CloudWatch CloudWatch `embed:""`
	Listeners  Listeners  `embed:""`
	Stop       Stop       `embed:""`
	Log        Log        `embed:""`
}

// Validate reports everything that is wrong, as [Faults]. What only the deliver
// role needs is not asked of a process without it.
func (c Dispatcher) Validate() error {
	f := checkAll(c.Roles, c.Store, c.Metrics, c.Listeners, c.Stop, c.Log)
	if c.Roles.Has(RoleDeliver) {
		f = append(f, checkAll(sealed{c.FCM, c.Seal}, c.Delivery)...)
	}
	return f.Err()
}

// Replayer is the configuration of cmd/dlq-replayer's drain: it moves dead
// letters from the queues into the store.
type Replayer struct {
	Store   Store   `embed:""`
	Metrics Metrics `embed:""`

	CloudWatch CloudWatch `embed:""`
	Listeners  Listeners  `embed:""`
	Stop       Stop       `embed:""`
	Log        Log        `embed:""`
}

// Validate reports everything that is wrong, as [Faults].
func (c Replayer) Validate() error {
	return checkAll(c.Store, c.Metrics, c.Listeners, c.Stop, c.Log).Err()
}

// Up is the configuration of belfry up: everything in one process. Health and
// metrics are on the HTTP API's address.
type Up struct {
	Sandbox    bool       `env:"BELFRY_SANDBOX" help:"${sandbox}"`
	Store      Store      `embed:""`
	API        API        `embed:""`
	FCM        FCM        `embed:""`
	Seal       Seal       `embed:""`
	Delivery   Delivery   `embed:""`
	Simulator  Simulator  `embed:""`
	Janitor    Janitor    `embed:""`
	Keep       Keep       `embed:""`
	CloudWatch CloudWatch `embed:""`
	Listeners  Listeners  `embed:""`
	Stop       Stop       `embed:""`
	Log        Log        `embed:""`
}

// Validate reports everything that is wrong, as [Faults]. With Sandbox the
// settings of FCM's place are not looked at, without it those of the simulator.
func (c Up) Validate() error {
	f := checkAll(c.Store, c.API, c.Delivery, c.Janitor, c.Keep, c.Listeners, c.Stop, c.Log)
	if c.Sandbox {
		c.Simulator.check(&f)
		c.FCM.checkPace(&f)
	} else {
		sealed{c.FCM, c.Seal}.check(&f)
	}
	return f.Err()
}

// Sim is the configuration of belfry sim: the FCM simulator alone.
type Sim struct {
	Simulator Simulator `embed:""`
	Lean      bool      `name:"sim-lean" env:"BELFRY_SIM_LEAN" group:"sim" help:"${sim_lean}"`
	Listeners Listeners `embed:""`
	Log       Log       `embed:""`
}

// Validate reports everything that is wrong, as [Faults].
func (c Sim) Validate() error { return checkAll(c.Simulator, c.Listeners, c.Log).Err() }

// maxAcceptRate bounds the load of single requests: no machine's generator keeps up with more.
const maxAcceptRate = 100_000

// maxRehearsal bounds what the demo and the bench send.
const maxRehearsal = 10_000_000

// Demo is the configuration of belfry demo. State is kept in a directory that
// is removed at the end.
type Demo struct {
	Backend    string `default:"embedded" env:"BELFRY_BACKEND" group:"store" placeholder:"NAME" help:"embedded or aws."`
	Recipients int    `default:"10000" env:"BELFRY_RECIPIENTS" help:"Size of the batch that it sends, 1000 to 10000000."`
	Outage     bool   `help:"Instead, play an outage of FCM as who is on call sees it: status, alert, runbook, recovery, the trace of what came late."`
	Keep       bool   `help:"Leave it serving at the end, until Ctrl-C."`
	Verbose    bool   `help:"Show the log as well."`
}

// Validate reports everything that is wrong, as [Faults].
func (c Demo) Validate() error { return rehearsal(c.Backend, c.Recipients).Err() }

// Log returns how the demo logs: errors only, so that its own output can be
// read, unless Verbose.
func (c Demo) Log() Log { return quietLog(c.Verbose) }

// Bench is the configuration of belfry bench.
type Bench struct {
	Backend      string        `default:"embedded" env:"BELFRY_BACKEND" group:"store" placeholder:"NAME" help:"embedded or aws."`
	Recipients   int           `default:"300000" env:"BELFRY_RECIPIENTS" help:"Notifications to send, 1000 to 10000000."`
	FCM          FCM           `embed:""`
	Latency      time.Duration `default:"50ms" help:"Median time that the simulator takes to answer, 0s to 10m."`
	Separate     bool          `help:"${separate}"`
	AcceptRate   int           `placeholder:"N" help:"${accept_rate}"`
	For          time.Duration `default:"30s" help:"How long --accept-rate lasts, 1s to 1h."`
	AcceptWithin time.Duration `name:"accept-within" placeholder:"DURATION" help:"${accept_within}"`
	Beside       int           `placeholder:"N" help:"${beside}"`
	Verbose      bool          `help:"Show the log as well."`
}

// Validate reports everything that is wrong, as [Faults].
func (c Bench) Validate() error {
	f := rehearsal(c.Backend, c.Recipients)
	if c.Separate && c.Backend != BackendEmbedded {
		f.add("separate", c.Backend, "runs on the embedded backend only")
	}
	between(&f, "latency", c.Latency, 0, maxLatency)
	c.checkAccept(&f)
	c.FCM.checkPace(&f)
	return f.Err()
}

func (c Bench) checkAccept(f *Faults) {
	between(f, "accept-rate", c.AcceptRate, 0, maxAcceptRate)
	between(f, "for", c.For, time.Second, time.Hour)
	between(f, "accept-within", c.AcceptWithin, 0, time.Minute)
	if c.AcceptRate > 0 && c.Backend != BackendEmbedded {
		f.add("accept-rate", c.Backend, "runs on the embedded backend only")
	}
	if c.AcceptWithin > 0 && c.AcceptRate == 0 {
		f.add("accept-within", c.AcceptWithin.String(), "needs --accept-rate, with which the search begins")
	}
	between(f, "beside", c.Beside, 0, maxRehearsal)
	if c.Beside > 0 && (c.AcceptRate == 0 || c.AcceptWithin > 0) {
		f.add("beside", strconv.Itoa(c.Beside), "needs --accept-rate, and no --accept-within")
	}
}

// Log returns how the bench logs: errors only, unless Verbose.
func (c Bench) Log() Log { return quietLog(c.Verbose) }

func quietLog(verbose bool) Log {
	level := "error"
	if verbose {
		level = "info"
	}
	return Log{Level: level, Format: "auto"}
}

func rehearsal(backend string, recipients int) Faults {
	const least = 1000 // fewer do not show every outcome
	var f Faults
	oneOf(&f, "backend", backend, BackendEmbedded, BackendAWS)
	between(&f, "recipients", recipients, least, maxRehearsal)
	return f
}
