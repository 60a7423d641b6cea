package config

import (
	"cmp"
	"time"
)

// The backends.
const (
	BackendEmbedded = "embedded" // SQLite in the data directory: one machine
	BackendAWS      = "aws"      // SQS, SNS, DynamoDB and S3
)

// Store says where state lives.
type Store struct {
	Backend string `default:"embedded" env:"BELFRY_BACKEND" group:"store" placeholder:"NAME" help:"${backend}"`
	Data    string `default:"belfry-data" env:"BELFRY_DATA" group:"store" placeholder:"DIR" help:"${data}"`
	// Visibility is a queue message's; a living worker prolongs it.
	Visibility time.Duration `default:"30s" env:"BELFRY_VISIBILITY" group:"store" help:"${visibility}"`
	AWS        AWS           `embed:""`
	// AuditKey has the keys that sign the audit log, the present one first.
	AuditKey Secret `name:"audit-key" env:"BELFRY_AUDIT_KEY" group:"store" placeholder:"KEY" help:"${audit_key}"`
}

// Janitor says when what the ledger waits for counts as lost.
type Janitor struct {
	Late time.Duration `name:"late-after" default:"20m" env:"BELFRY_LATE_AFTER" group:"proc" help:"${late_after}"`
}

// Keep says how long records are kept that nobody needs to go on. Zero is for ever.
type Keep struct {
	Notifications time.Duration `name:"keep-notifications" default:"2160h" env:"BELFRY_KEEP_NOTIFICATIONS" group:"proc" help:"${keep_notifications}"`
	Pages         time.Duration `name:"keep-pages" default:"2160h" env:"BELFRY_KEEP_PAGES" group:"proc" help:"${keep_pages}"`
	Done          time.Duration `name:"keep-done" default:"720h" env:"BELFRY_KEEP_DONE" group:"proc" help:"${keep_done}"`
	Replays       time.Duration `name:"keep-replays" default:"2160h" env:"BELFRY_KEEP_REPLAYS" group:"proc" help:"${keep_replays}"`
	// Audit is for ever unless somebody decides otherwise: what it removes is evidence, and cannot be had again.
	Audit time.Duration `name:"keep-audit" default:"0s" env:"BELFRY_KEEP_AUDIT" group:"proc" help:"${keep_audit}"`
}

// AWS says what Belfry's resources are called in an AWS account. Account, region
// and endpoints come from the standard AWS environment alone
// (https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html).
type AWS struct {
	Prefix string `name:"aws-prefix" default:"belfry" env:"BELFRY_AWS_PREFIX" group:"store" placeholder:"NAME" help:"${aws_prefix}"`
	Bucket string `name:"aws-bucket" env:"BELFRY_AWS_BUCKET" group:"store" placeholder:"NAME" help:"${aws_bucket}"`
}

// API says where the HTTP API listens and who may use it.
type API struct {
	Listen string `default:"127.0.0.1:8080" env:"BELFRY_LISTEN" group:"api" placeholder:"HOST:PORT" help:"Address of the HTTP API."`
	Key    Secret `name:"api-key" env:"BELFRY_API_KEY" group:"api" placeholder:"KEY" help:"${api_key}"`
	// RequireKey says whether requests without a key are refused; nil leaves it to what the
	// server finds: see docs/security.md.
	RequireKey *bool `name:"require-key" negatable:"" env:"BELFRY_REQUIRE_KEY" group:"api" help:"${require_key}"`
}

// Beyond reports whether the API can be reached from other machines.
func (a API) Beyond() bool { return !private(a.Listen) }

// mayBeOpen reports whether the API may let requests without a key in.
func (a API) mayBeOpen() bool {
	return a.Key.IsZero() && !a.Beyond() && (a.RequireKey == nil || !*a.RequireKey)
}

// ApplicationDefault stands, instead of a file, for Google's application
// default credentials.
const ApplicationDefault = "adc"

// The clients of HTTP/2 for FCM.
const (
	HTTPOwn = "own"
	HTTPNet = "nethttp"
)

// When a process shares FCM's quota with others.
const (
	SharedAuto = "auto" // see [FCM.SharesQuota]
	SharedOn   = "on"
	SharedOff  = "off"
)

// FCM says how Firebase Cloud Messaging is reached.
type FCM struct {
	Credentials string `name:"fcm-credentials" env:"BELFRY_FCM_CREDENTIALS" group:"fcm" placeholder:"FILE" help:"${fcm_credentials}"`
	Endpoint    string `name:"fcm-endpoint" default:"https://fcm.googleapis.com/v1" env:"BELFRY_FCM_ENDPOINT" group:"fcm" placeholder:"URL" help:"${fcm_url}"`
	Project     string `name:"fcm-project" env:"BELFRY_FCM_PROJECT" group:"fcm" placeholder:"ID" help:"${fcm_project}"`
	HTTP        string `name:"fcm-http" default:"own" env:"BELFRY_FCM_HTTP" group:"fcm" placeholder:"CLIENT" help:"${fcm_http}"`
	Connections int    `name:"fcm-connections" default:"15" env:"BELFRY_FCM_CONNECTIONS" group:"fcm" help:"${fcm_connections}"`
	PerSecond   int    `name:"fcm-per-second" default:"10000" env:"BELFRY_FCM_PER_SECOND" group:"fcm" help:"${fcm_per_second}"`
	SharedQuota string `name:"fcm-shared-quota" default:"auto" env:"BELFRY_FCM_SHARED_QUOTA" group:"fcm" placeholder:"WHEN" help:"${fcm_shared_quota}"`
}

// SharesQuota reports whether a process takes its sends out of what all processes share. Left to itself, one that runs
// everything does not, unless its backend is one that others use too.
func (f FCM) SharesQuota(everything bool, backend string) bool {
	switch f.SharedQuota {
	case SharedOn:
		return true
	case SharedOff:
		return false
	}
	return !everything || backend != BackendEmbedded
}

// Seal says what the credentials of apps are sealed with.
type Seal struct {
	Key    Secret `name:"seal-key" env:"BELFRY_SEAL_KEY" group:"fcm" placeholder:"KEY" help:"${seal_key}"`
	KMSKey string `name:"seal-kms-key" env:"BELFRY_SEAL_KMS_KEY" group:"fcm" placeholder:"KEY" help:"${seal_kms_key}"`
}

// Given reports whether there is anything to seal with.
func (s Seal) Given() bool { return !s.Key.IsZero() || s.KMSKey != "" }

// Asking says where ingest asks about a credential that is uploaded.
type Asking struct {
	Endpoint string `name:"fcm-endpoint" default:"https://fcm.googleapis.com/v1" env:"BELFRY_FCM_ENDPOINT" group:"fcm" placeholder:"URL" help:"${fcm_url}"`
}

func (a Asking) check(f *Faults) { webURL(f, "fcm-endpoint", a.Endpoint) }

// Delivery says how hard a delivery is tried.
type Delivery struct {
	MaxAttempts          int   `default:"8" env:"BELFRY_MAX_ATTEMPTS" group:"send" help:"${max_attempts}"`
	BrakeAfter           int   `default:"20" env:"BELFRY_BRAKE_AFTER" group:"send" help:"${brake_after}"`
	Lanes                Lanes `embed:""`
	RecordUnknownDevices bool  `default:"true" negatable:"" env:"BELFRY_RECORD_UNKNOWN_DEVICES" group:"send" help:"${record_unknown_devices}"`
}

// Lanes says how much of each lane a process has under way. A chunk holds up to
// 500 recipients; chunks times window is how many requests a lane has at FCM at
// most. A zero field is its default, for who builds the struct in code.
//
// The bulk lane's 20 x 50 send half as much again as 6 x 100: many chunks hide
// what each waits for besides FCM, its claim, its slowest last answer and its
// closing. The high lane takes many small chunks. The replay lane is for what an
// operator sends again: it gets what cannot hurt live traffic.
type Lanes struct {
	HighChunks   int `name:"high-chunks" default:"200" env:"BELFRY_HIGH_CHUNKS" group:"send" help:"${high_chunks}"`
	HighWindow   int `name:"high-window" default:"20" env:"BELFRY_HIGH_WINDOW" group:"send" help:"${high_window}"`
	HighRetries  int `name:"high-retries" default:"100" env:"BELFRY_HIGH_RETRIES" group:"send" help:"${high_retries}"`
	BulkChunks   int `name:"bulk-chunks" default:"26" env:"BELFRY_BULK_CHUNKS" group:"send" help:"${bulk_chunks}"`
	BulkWindow   int `name:"bulk-window" default:"50" env:"BELFRY_BULK_WINDOW" group:"send" help:"${bulk_window}"`
	ReplayChunks int `name:"replay-chunks" default:"4" env:"BELFRY_REPLAY_CHUNKS" group:"send" help:"${replay_chunks}"`
	ReplayWindow int `name:"replay-window" default:"25" env:"BELFRY_REPLAY_WINDOW" group:"send" help:"${replay_window}"`
}

// OrDefault returns the lanes with the default in the place of every zero.
func (l Lanes) OrDefault() Lanes {
	const highChunks, highWindow, highRetries, bulkChunks, bulkWindow, replayChunks, replayWindow = 200, 20, 100, 26, 50, 4, 25
	return Lanes{
		HighChunks: cmp.Or(l.HighChunks, highChunks), HighWindow: cmp.Or(l.HighWindow, highWindow),
		HighRetries: cmp.Or(l.HighRetries, highRetries),
		BulkChunks:  cmp.Or(l.BulkChunks, bulkChunks), BulkWindow: cmp.Or(l.BulkWindow, bulkWindow),
		ReplayChunks: cmp.Or(l.ReplayChunks, replayChunks), ReplayWindow: cmp.Or(l.ReplayWindow, replayWindow),
	}
}

// Log says how the process logs, to standard error.
type Log struct {
	Level  string `name:"log-level" default:"info" env:"BELFRY_LOG_LEVEL" group:"proc" placeholder:"LEVEL" help:"debug, info, warn or error."`
	Format string `name:"log-format" default:"auto" env:"BELFRY_LOG_FORMAT" group:"proc" placeholder:"FORMAT" help:"json, console, or auto: console on a terminal."`
}

// FormatFor resolves auto: console when the log goes to a terminal, else json.
func (l Log) FormatFor(terminal bool) string {
	switch {
	case l.Format != "auto":
		return l.Format
	case terminal:
		return "console"
	default:
		return "json"
	}
}

// Stop says how long a process that is told to stop may finish what it has
// begun.
type Stop struct {
	Drain time.Duration `default:"15s" env:"BELFRY_DRAIN" group:"proc" help:"${drain}"`
}

// Metrics says where a process without an HTTP API answers /healthz, /readyz
// and /metrics.
type Metrics struct {
	Listen string `name:"metrics-listen" default:"127.0.0.1:9090" env:"BELFRY_METRICS_LISTEN" group:"proc" placeholder:"HOST:PORT" blank:"" help:"${metrics_listen}"`
}

// CloudWatch says whether metrics go to CloudWatch, by way of standard output.
type CloudWatch struct {
	EMF bool `name:"emf" env:"BELFRY_EMF" group:"proc" help:"${emf}"`
}

// DefaultMaxConnections is what the zero value of Listeners.MaxConnections means
// to whoever builds one in code.
const DefaultMaxConnections = 2048

// Listeners says what every listener of a process lets in.
type Listeners struct {
	AllowedHosts   []string `name:"allowed-hosts" env:"BELFRY_ALLOWED_HOSTS" group:"proc" placeholder:"HOST" help:"${allowed_hosts}"`
	MaxConnections int      `name:"max-connections" default:"2048" env:"BELFRY_MAX_CONNECTIONS" group:"proc" help:"${max_connections}"`
}

// Simulator says how the FCM simulator behaves.
type Simulator struct {
	Listen  string        `name:"sim-listen" default:"127.0.0.1:8090" env:"BELFRY_SIM_LISTEN" group:"sim" placeholder:"HOST:PORT" help:"${sim_listen}"`
	Latency time.Duration `name:"sim-latency" default:"0s" env:"BELFRY_SIM_LATENCY" group:"sim" help:"${sim_latency}"`
	Quota   int           `name:"sim-quota" default:"0" env:"BELFRY_SIM_QUOTA" group:"sim" help:"${sim_quota}"`
	Keep    int           `name:"sim-keep" default:"100000" env:"BELFRY_SIM_KEEP" group:"sim" help:"${sim_keep}"` // 0 in code: the default
}

// DefaultAPI is where a server listens that was told nothing else.
const DefaultAPI = "http://127.0.0.1:8080"

// Remote says how a command reaches a running server.
type Remote struct {
	API string `default:"http://127.0.0.1:8080" env:"BELFRY_API" group:"server" placeholder:"URL" help:"${api_server}"`
	Key Secret `name:"api-key" env:"BELFRY_API_KEY" group:"server" placeholder:"KEY" help:"${api_key_server}"`
}
