package config

import "time"

// The backends.
const (
	BackendEmbedded = "embedded" // SQLite in the data directory: one machine
	BackendAWS      = "aws"      // SQS, SNS, DynamoDB and S3
)

// Store says where state lives.
type Store struct {
	Backend string `default:"embedded" env:"BELFRY_BACKEND" group:"store" help:"embedded (SQLite, one machine) or aws (SQS, SNS, DynamoDB, S3; standard AWS environment)."`
	Data    string `default:"belfry-data" env:"BELFRY_DATA" group:"store" help:"Directory of the embedded backend; made if it is not there. Processes on one machine may share it."`
	// Visibility is a queue message's; a living worker prolongs it.
	Visibility time.Duration `default:"30s" env:"BELFRY_VISIBILITY" group:"store" help:"After how long the queue messages of a killed process come back, 1s to 12h."`
	AWS        AWS           `embed:""`
}

// Janitor says when what the ledger waits for counts as lost.
type Janitor struct {
	Late time.Duration `name:"late-after" default:"20m" env:"BELFRY_LATE_AFTER" group:"proc" help:"After how long without a sign of life a delivery's queue message counts as lost and is sent anew, 1s to 24h. --visibility comes on top; six times that while its queue is full."`
}

// AWS says what Belfry's resources are called in an AWS account. Account, region
// and endpoints come from the standard AWS environment alone
// (https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html).
type AWS struct {
	Prefix string `name:"aws-prefix" default:"belfry" env:"BELFRY_AWS_PREFIX" group:"store" help:"With --backend aws: what the names of queues, topics and tables begin with."`
	Bucket string `name:"aws-bucket" env:"BELFRY_AWS_BUCKET" group:"store" placeholder:"NAME" help:"With --backend aws: the S3 bucket. Default: PREFIX-pages-ACCOUNT-REGION."`
}

// API says where the HTTP API listens and who may use it.
type API struct {
	Listen string `default:"127.0.0.1:8080" env:"BELFRY_LISTEN" group:"api" help:"Address of the HTTP API, host:port."`
	Key    Secret `name:"api-key" env:"BELFRY_API_KEY" group:"api" placeholder:"KEY" help:"Key that callers must send. Optional on the loopback interface only. Prefer the variable: arguments are visible to other users."`
}

// ApplicationDefault stands, instead of a file, for Google's application
// default credentials.
const ApplicationDefault = "adc"

// FCM says how Firebase Cloud Messaging is reached.
type FCM struct {
	Credentials string `name:"fcm-credentials" env:"BELFRY_FCM_CREDENTIALS" group:"fcm" placeholder:"FILE" help:"Service-account key file (JSON), or adc for Google's application default credentials."`
	Endpoint    string `name:"fcm-endpoint" default:"https://fcm.googleapis.com/v1" env:"BELFRY_FCM_ENDPOINT" group:"fcm" help:"Base URL up to /v1."`
	Project     string `name:"fcm-project" env:"BELFRY_FCM_PROJECT" group:"fcm" placeholder:"ID" help:"Firebase project id. Default: the one in the key file."`
	Connections int    `name:"fcm-connections" default:"14" env:"BELFRY_FCM_CONNECTIONS" group:"fcm" help:"HTTP/2 connections, 1 to 100; each carries about 100 requests at a time."`
	PerSecond   int    `name:"fcm-per-second" default:"10000" env:"BELFRY_FCM_PER_SECOND" group:"fcm" help:"Most sends a second, 1 to 1000000. FCM's default quota is 600,000 a minute."`
}

// Delivery says how hard a delivery is tried.
type Delivery struct {
	MaxAttempts          int  `default:"8" env:"BELFRY_MAX_ATTEMPTS" group:"send" help:"Tries per recipient before the dead letter, 1 to 100. Waiting for the breaker or a rate limit is not a try."`
	RecordUnknownDevices bool `default:"true" negatable:"" env:"BELFRY_RECORD_UNKNOWN_DEVICES" group:"send" help:"Register tokens first seen in a send, so that dead ones are remembered."`
}

// Log says how the process logs, to standard error.
type Log struct {
	Level  string `name:"log-level" default:"info" env:"BELFRY_LOG_LEVEL" group:"proc" help:"debug, info, warn or error."`
	Format string `name:"log-format" default:"auto" env:"BELFRY_LOG_FORMAT" group:"proc" help:"json, console, or auto: console on a terminal."`
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
	Drain time.Duration `default:"15s" env:"BELFRY_DRAIN" group:"proc" help:"On SIGTERM, how long work under way may take to finish, 0s to 15m."`
}

// Metrics says where a process without an HTTP API answers /healthz, /readyz
// and /metrics.
type Metrics struct {
	Listen string `name:"metrics-listen" default:"127.0.0.1:9090" env:"BELFRY_METRICS_LISTEN" group:"proc" blank:"" help:"Address of /healthz, /readyz and /metrics, host:port; empty for none."`
}

// DefaultMaxConnections is what the zero value of Listeners.MaxConnections means
// to who builds one in code.
const DefaultMaxConnections = 2048

// Listeners says what every listener of a process lets in.
type Listeners struct {
	AllowedHosts   []string `name:"allowed-hosts" env:"BELFRY_ALLOWED_HOSTS" group:"proc" placeholder:"HOST,…" help:"Further host names under which listeners without a key are reached, as behind a proxy, and whose web pages may send requests; *.example.com for all below it, * for any."`
	MaxConnections int      `name:"max-connections" default:"2048" env:"BELFRY_MAX_CONNECTIONS" group:"proc" help:"Connections that each listener has open at a time, 1 to 1000000; one more is answered 503."`
}

// Simulator says how the FCM simulator behaves.
type Simulator struct {
	Listen  string        `name:"sim-listen" default:"127.0.0.1:8090" env:"BELFRY_SIM_LISTEN" group:"sim" help:"Address of the FCM simulator, host:port. It asks for no key."`
	Latency time.Duration `name:"sim-latency" default:"0s" env:"BELFRY_SIM_LATENCY" group:"sim" help:"Median time that it takes to answer, 0s to 10m."`
	Quota   int           `name:"sim-quota" default:"0" env:"BELFRY_SIM_QUOTA" group:"sim" help:"Sends a minute before it answers 429; 0 for no limit. FCM's default is 600000."`
}

// Remote says how a command reaches a running server.
type Remote struct {
	API string `name:"api" default:"http://127.0.0.1:8080" env:"BELFRY_API" group:"server" placeholder:"URL" help:"URL of the server (default: ${default})."`
	Key Secret `name:"api-key" env:"BELFRY_API_KEY" group:"server" placeholder:"KEY" help:"API key. Prefer the variable: arguments are visible to other users."`
}
