package config

import "time"

// Provision is the configuration of belfry provision.
type Provision struct {
	AWS   AWS  `embed:""`
	Plan  bool `help:"Say what would be done, and do nothing."`
	Force bool `help:"Change what exists and differs, too."`
}

// Validate reports everything that is wrong, as [Faults].
func (c Provision) Validate() error {
	f := checkAll(c.AWS)
	if c.Plan && c.Force {
		f = append(f, Fault{Flag: "--plan", Detail: "and --force: give one of them"})
	}
	return f.Err()
}

// Doctor is the configuration of belfry doctor: of the service that it looks
// after. What is wrong with the credentials of FCM is for its checks to say.
type Doctor struct {
	Store Store `embed:""`
	FCM   FCM   `embed:""`
}

// Validate reports what is so wrong that nothing can be checked, as [Faults].
func (c Doctor) Validate() error {
	f := checkAll(c.Store)
	webURL(&f, "fcm-endpoint", c.FCM.Endpoint)
	c.FCM.checkPace(&f)
	return f.Err()
}

// ValidateStore reports what is wrong with where state lives.
func (c Doctor) ValidateStore() error { return checkAll(c.Store).Err() }

// Door says how a command of dlq-replayer reaches the dead letters: through a
// running server, or directly on the backend.
type Door struct {
	API string `name:"api" env:"BELFRY_API" group:"server" placeholder:"URL" help:"URL of a running server. Without it the command works on the backend directly."`
	Key Secret `name:"api-key" env:"BELFRY_API_KEY" group:"server" placeholder:"KEY" help:"API key of that server. Prefer the variable: arguments are visible to other users."`
}

// Check reports what is wrong, as [Faults], with the door or, if it is not used,
// with where state lives.
func (d Door) Check(s Store) error {
	var f Faults
	if d.API == "" {
		s.check(&f)
	} else {
		webURL(&f, "api", d.API)
	}
	return f.Err()
}

// Retention says how long dlq-replayer drain --watch keeps dead letters.
type Retention struct {
	Parked time.Duration `name:"keep-parked" default:"2160h" env:"BELFRY_KEEP_PARKED" group:"proc" help:"How long a letter waits for an operator before it is discarded, with a tombstone; 0s for ever."`
	Warn   time.Duration `name:"keep-warning" default:"168h" env:"BELFRY_KEEP_WARNING" group:"proc" help:"How long before that it is warned of."`
	Done   time.Duration `name:"keep-done" default:"720h" env:"BELFRY_KEEP_DONE" group:"proc" help:"How long replayed and discarded letters are kept; 0s for ever."`
}

// Validate reports everything that is wrong, as [Faults].
func (r Retention) Validate() error {
	const longest = 10 * 365 * 24 * time.Hour
	var f Faults
	between(&f, "keep-parked", r.Parked, 0, longest)
	between(&f, "keep-warning", r.Warn, 0, longest)
	between(&f, "keep-done", r.Done, 0, longest)
	if r.Parked > 0 && r.Warn > r.Parked {
		f.add("keep-warning", r.Warn.String(), "must not be longer than --keep-parked, %v", r.Parked)
	}
	return f.Err()
}
