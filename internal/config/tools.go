package config

import (
	"slices"
	"strings"
	"time"
)

// Provision is the configuration of belfry provision.
type Provision struct {
	AWS AWS `embed:""`
	// AuditKey signs what the audit log tells of it, as [Store.AuditKey].
	AuditKey Secret `name:"audit-key" env:"BELFRY_AUDIT_KEY" group:"store" placeholder:"KEY" help:"${audit_key}"`
	Plan     bool   `help:"Say what would be done, and do nothing."`
	Force    bool   `help:"Change what exists and differs, too."`
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
// after. What is wrong with the credentials of FCM, and who is let in, is for its checks to say.
type Doctor struct {
	Store Store `embed:""`
	API   API   `embed:""`
	FCM   FCM   `embed:""`
	Seal  Seal  `embed:""`
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

// Backup is the configuration of belfry backup.
type Backup struct {
	Store Store `embed:""`
}

// Validate reports everything that is wrong, as [Faults].
func (c Backup) Validate() error {
	f := checkAll(c.Store)
	if c.Store.Backend == BackendAWS {
		f = append(f,
			Fault{Flag: "--backend", Detail: "aws has backups of its own: those of DynamoDB (point-in-time recovery) and S3 (versions)"})
	}
	return f.Err()
}

// LostMessages is what [Repair] calls queue messages of which nobody knows which.
const LostMessages = "messages"

// Repair is the configuration of belfry repair.
type Repair struct {
	Store Store  `embed:""`
	Lost  string `required:"" placeholder:"NAME" help:"${lost}"`
}

// Validate reports everything that is wrong, as [Faults].
func (c Repair) Validate() error {
	f := checkAll(c.Store)
	files := []string{"queue.db", "pages.db", "queue.db-wal", "store.db-wal", "pages.db-wal"}
	switch {
	case c.Lost == LostMessages:
	case !slices.Contains(files, c.Lost):
		f = append(f, Fault{Flag: "--lost", Detail: "must be " + strings.Join(files, ", ") + " or " + LostMessages + " (got " + c.Lost + ")"})
	case c.Store.Backend == BackendAWS:
		f = append(f, Fault{Flag: "--lost", Detail: "with --backend aws there are only " + LostMessages + " (got " + c.Lost + ")"})
	}
	return f.Err()
}

// LettersAccess holds how a command of dlq-replayer reaches the dead letters: through a running
// server, or directly in the backend.
type LettersAccess struct {
	API string `env:"BELFRY_API" group:"server" placeholder:"URL" help:"${api}"`
	Key Secret `name:"api-key" env:"BELFRY_API_KEY" group:"server" placeholder:"KEY" help:"${api_key_direct}"`
}

// Check reports, as [Faults], what is wrong with the server's URL or, if there is none, with the
// settings of the store.
func (d LettersAccess) Check(s Store) error {
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
	Parked time.Duration `name:"keep-parked" default:"2160h" env:"BELFRY_KEEP_PARKED" group:"proc" help:"${keep_parked}"`
	Warn   time.Duration `name:"keep-warning" default:"168h" env:"BELFRY_KEEP_WARNING" group:"proc" help:"${keep_warning}"`
	Done   time.Duration `name:"keep-done" default:"720h" env:"BELFRY_KEEP_DONE" group:"proc" help:"${keep_done}"`
}

// Validate reports everything that is wrong, as [Faults].
func (r Retention) Validate() error {
	var f Faults
	between(&f, "keep-parked", r.Parked, 0, mostKept)
	between(&f, "keep-warning", r.Warn, 0, mostKept)
	between(&f, "keep-done", r.Done, 0, mostKept)
	if r.Parked > 0 && r.Warn > r.Parked {
		f.add("keep-warning", r.Warn.String(), "must not be longer than --keep-parked, %v", r.Parked)
	}
	return f.Err()
}
