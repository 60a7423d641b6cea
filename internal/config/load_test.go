package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// load runs a program's start and returns what it left behind.
func load(cfg any, vars env, args ...string) (code int, ok bool, stdout, stderr string) {
	var out, errs bytes.Buffer
	p := Program{Name: "ingest", About: "Accepts notifications.", Env: vars.lookup, Stdout: &out, Stderr: &errs}
	code, ok = p.Load(cfg, args)
	return code, ok, out.String(), errs.String()
}

func TestDefaults(t *testing.T) {
	t.Parallel()

	var up Up
	if _, ok, _, stderr := load(&up, nil, "--sandbox"); !ok {
		t.Fatal(stderr)
	}
	want := Up{
		Sandbox: true,
		Store:   Store{Backend: BackendEmbedded, Data: "belfry-data", Visibility: 30 * time.Second, AWS: AWS{Prefix: "belfry"}},
		API:     API{Listen: "127.0.0.1:8080"},
		FCM:     FCM{Endpoint: "https://fcm.googleapis.com/v1", HTTP: "own", Connections: 15, PerSecond: 10_000, SharedQuota: SharedAuto},
		Delivery: Delivery{
			MaxAttempts: 8, BrakeAfter: 20, Lanes: Lanes{}.OrDefault(), RecordUnknownDevices: true,
		},
		Simulator: Simulator{Listen: "127.0.0.1:8090", Keep: 100_000},
		Janitor:   Janitor{Late: 20 * time.Minute},
		Keep:      Keep{Notifications: 2160 * time.Hour, Pages: 2160 * time.Hour, Done: 720 * time.Hour, Replays: 2160 * time.Hour},
		Listeners: Listeners{MaxConnections: DefaultMaxConnections},
		Stop:      Stop{Drain: 15 * time.Second},
		Log:       Log{Level: "info", Format: "auto"},
	}
	if diff := cmp.Diff(want, up); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestFlagsAndEnvironment(t *testing.T) {
	t.Parallel()

	vars := env{
		"BELFRY_ROLES": "deliver", "BELFRY_FCM_ENDPOINT": "http://127.0.0.1:8090/v1", "BELFRY_MAX_ATTEMPTS": "3",
		"BELFRY_RECORD_UNKNOWN_DEVICES": "false", "BELFRY_METRICS_LISTEN": "", "BELFRY_DRAIN": "", "BELFRY_LOG_LEVEL": "debug",
		"BELFRY_DATA": "/from/env",
	}
	var d Dispatcher
	if _, ok, _, stderr := load(&d, vars, "--data", "/from/flag", "--log-level=warn"); !ok {
		t.Fatal(stderr)
	}
	got := []any{
		d.Roles.Has(RoleDeliver), d.Roles.Has(RoleFanout), d.FCM.Endpoint, d.Delivery, d.Metrics.Listen, d.Stop.Drain, d.Log.Level, d.Store.Data,
	}
	want := []any{
		true, false, "http://127.0.0.1:8090/v1",
		Delivery{MaxAttempts: 3, BrakeAfter: 20, Lanes: Lanes{}.OrDefault()},
		"", 15 * time.Second,
		"warn", "/from/flag",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if _, ok, _, stderr := load(&d, vars, "--no-record-unknown-devices", "--roles=fanout,deliver"); !ok ||
		d.Delivery.RecordUnknownDevices || !d.Roles.Has(RoleFanout) {
		t.Errorf("flags: %+v, %s", d, stderr)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()

	key := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(key, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	// with returns the settings of a dispatcher that would start, and one more.
	with := func(k, v string) env { return env{"BELFRY_FCM_CREDENTIALS": key, k: v} }
	tests := []struct {
		name string
		cfg  any
		vars env
		want []string // lines of faults, as they begin
	}{
		{"backend", &Replayer{}, env{"BELFRY_BACKEND": "redis"}, []string{`--backend (BELFRY_BACKEND): must be embedded or aws (got "redis")`}},
		{
			"kept for too short", &Ingest{},
			env{"BELFRY_KEEP_NOTIFICATIONS": "24h", "BELFRY_KEEP_PAGES": "1m", "BELFRY_KEEP_REPLAYS": "-1h", "BELFRY_KEEP_AUDIT": "24h"},
			[]string{
				`--keep-notifications (BELFRY_KEEP_NOTIFICATIONS): must be 72h0m0s to 87600h0m0s, or 0s for ever (got "24h0m0s")`,
				`--keep-audit (BELFRY_KEEP_AUDIT): must be 720h0m0s to 87600h0m0s, or 0s for ever`,
				`--keep-pages (BELFRY_KEEP_PAGES): must be 1h0m0s to`, `--keep-replays (BELFRY_KEEP_REPLAYS): must be 1h0m0s to`,
			},
		},
		{"kept for ever", &Ingest{}, env{"BELFRY_KEEP_NOTIFICATIONS": "0s", "BELFRY_KEEP_PAGES": "0s", "BELFRY_KEEP_DONE": "0s"}, nil},
		{"data", &Replayer{}, env{"BELFRY_DATA": " "}, []string{`--data (BELFRY_DATA): must name a directory`}},
		{"data does not matter on AWS", &Replayer{}, env{"BELFRY_DATA": " ", "BELFRY_BACKEND": "aws"}, nil},
		{
			"listen without port", &Ingest{},
			env{"BELFRY_LISTEN": "localhost"},
			[]string{`--listen (BELFRY_LISTEN): must be host:port with a port of 0 to 65535, such as 127.0.0.1:8080 (got "localhost")`},
		},
		{"listen on port 70000", &Ingest{}, env{"BELFRY_LISTEN": "127.0.0.1:70000"}, []string{`--listen`}},
		{"listen everywhere with keys that are made", &Ingest{}, env{"BELFRY_LISTEN": ":8080"}, nil},
		{
			"listen everywhere without a key", &Ingest{},
			env{"BELFRY_LISTEN": ":8080", "BELFRY_REQUIRE_KEY": "false"},
			[]string{
				`--listen (BELFRY_LISTEN): beyond the loopback interface every request needs an API key: leave BELFRY_REQUIRE_KEY out, ` +
					`or listen on 127.0.0.1 (got ":8080")`,
			},
		},
		{
			"listen by name without a key", &Up{},
			env{"BELFRY_SANDBOX": "1", "BELFRY_LISTEN": "push.internal:80", "BELFRY_REQUIRE_KEY": "false"},
			[]string{`--listen`},
		},
		{
			"listen on 0.0.0.0 without a key", &Ingest{},
			env{"BELFRY_LISTEN": "0.0.0.0:80", "BELFRY_REQUIRE_KEY": "false"},
			[]string{`--listen`},
		},
		{"listen everywhere with a key", &Ingest{}, env{"BELFRY_LISTEN": ":8080", "BELFRY_API_KEY": "k", "BELFRY_REQUIRE_KEY": "false"}, nil},
		{"not yes or no", &Ingest{}, env{"BELFRY_REQUIRE_KEY": "maybe"}, []string{"--require-key (BELFRY_REQUIRE_KEY): must be true or false"}},
		{"listen on IPv6 loopback", &Ingest{}, env{"BELFRY_LISTEN": "[::1]:0"}, nil},
		{
			"key with a space", &Ingest{},
			env{"BELFRY_API_KEY": "hush hush"},
			[]string{`--api-key (BELFRY_API_KEY): must be printable ASCII without spaces`},
		},
		{"no credentials", &Dispatcher{}, nil, []string{`--fcm-credentials (BELFRY_FCM_CREDENTIALS): is required to send through Google`}},
		{"no credentials, but nothing to deliver", &Dispatcher{}, env{"BELFRY_ROLES": "fanout"}, nil},
		{"no credentials, but a simulator", &Dispatcher{}, env{"BELFRY_FCM_ENDPOINT": "http://sim:8090/v1"}, nil},
		{"up without anything", &Up{}, nil, []string{`--fcm-credentials`}},
		{
			"credentials missing", &Dispatcher{},
			env{"BELFRY_FCM_CREDENTIALS": key + "x"},
			[]string{`--fcm-credentials (BELFRY_FCM_CREDENTIALS): cannot be read: no such file or directory (got "`},
		},
		{
			"credentials a directory", &Dispatcher{},
			env{"BELFRY_FCM_CREDENTIALS": filepath.Dir(key)},
			[]string{`--fcm-credentials (BELFRY_FCM_CREDENTIALS): must be a file`},
		},
		{
			"credentials instead of their file", &Dispatcher{},
			env{"BELFRY_FCM_CREDENTIALS": `{"private_key":"hush"}`},
			[]string{`--fcm-credentials (BELFRY_FCM_CREDENTIALS): must be the name of the key file, not what is in it`},
		},
		{
			"credentials over plain HTTP", &Dispatcher{}, with("BELFRY_FCM_ENDPOINT", "http://proxy/v1"),
			[]string{`--fcm-endpoint (BELFRY_FCM_ENDPOINT): must be https, or on the loopback interface`},
		},
		{"application default credentials", &Dispatcher{}, env{"BELFRY_FCM_CREDENTIALS": ApplicationDefault}, nil},
		{"visibility", &Ingest{}, env{"BELFRY_VISIBILITY": "0s"}, []string{`--visibility (BELFRY_VISIBILITY): must be 1s to 12h0m0s (got "0s")`}},
		{"AWS names", &Ingest{}, env{"BELFRY_BACKEND": "aws", "BELFRY_AWS_PREFIX": "Shop_", "BELFRY_AWS_BUCKET": "a"}, []string{
			`--aws-prefix (BELFRY_AWS_PREFIX): must be 1 to 28 lower-case letters, digits and hyphens, and begin and end with a letter or digit ` +
				`(got "Shop_")`,
			`--aws-bucket (BELFRY_AWS_BUCKET): must be the name of an S3 bucket`,
		}},
		{
			"AWS names that are good", &Ingest{},
			env{"BELFRY_BACKEND": "aws", "BELFRY_AWS_PREFIX": "shop-2", "BELFRY_AWS_BUCKET": "my.bucket-1"},
			nil,
		},
		{"AWS names do not matter elsewhere", &Ingest{}, env{"BELFRY_AWS_PREFIX": "-"}, nil},
		{"doctor looks at FCM itself", &Doctor{}, env{"BELFRY_FCM_CREDENTIALS": key + "x"}, nil},
		{"doctor's backend", &Doctor{}, env{"BELFRY_BACKEND": "x", "BELFRY_FCM_ENDPOINT": "fcm"}, []string{`--backend`, `--fcm-endpoint`}},
		{"provision", &Provision{}, env{"BELFRY_AWS_PREFIX": "x-"}, []string{`--aws-prefix`}},

		{"credentials to a local simulator", &Dispatcher{}, with("BELFRY_FCM_ENDPOINT", "http://localhost:8090/v1"), nil},
		{
			"endpoint", &Dispatcher{}, with("BELFRY_FCM_ENDPOINT", "fcm"),
			[]string{`--fcm-endpoint (BELFRY_FCM_ENDPOINT): must be http://host or https://host`},
		},
		{
			"project", &Dispatcher{}, with("BELFRY_FCM_PROJECT", "projects/x"), []string{`--fcm-project (BELFRY_FCM_PROJECT): must be a project id`},
		},
		{
			"connections", &Dispatcher{}, with("BELFRY_FCM_CONNECTIONS", "101"),
			[]string{`--fcm-connections (BELFRY_FCM_CONNECTIONS): must be 1 to 100 (got "101")`},
		},
		{"net/http", &Dispatcher{}, with("BELFRY_FCM_HTTP", "nethttp"), nil},
		{
			"HTTP client", &Up{},
			env{"BELFRY_SANDBOX": "1", "BELFRY_FCM_HTTP": "curl"},
			[]string{`--fcm-http (BELFRY_FCM_HTTP): must be own or nethttp (got "curl")`},
		},
		{
			"shared quota", &Dispatcher{},
			with("BELFRY_FCM_SHARED_QUOTA", "yes"),
			[]string{`--fcm-shared-quota (BELFRY_FCM_SHARED_QUOTA): must be auto, on or off (got "yes")`},
		},
		{
			"rate", &Dispatcher{}, with("BELFRY_FCM_PER_SECOND", "0"),
			[]string{`--fcm-per-second (BELFRY_FCM_PER_SECOND): must be 1 to 1000000 (got "0")`},
		},
		{"chunks", &Dispatcher{}, with("BELFRY_BULK_CHUNKS", "0"), []string{`--bulk-chunks (BELFRY_BULK_CHUNKS): must be 1 to 1000 (got "0")`}},
		{
			"window", &Dispatcher{}, with("BELFRY_HIGH_WINDOW", "501"), []string{`--high-window (BELFRY_HIGH_WINDOW): must be 1 to 500 (got "501")`},
		},
		{
			"attempts", &Dispatcher{}, with("BELFRY_MAX_ATTEMPTS", "many"),
			[]string{`--max-attempts (BELFRY_MAX_ATTEMPTS): must be a whole number (got "many")`},
		},
		{
			"switch", &Dispatcher{}, with("BELFRY_RECORD_UNKNOWN_DEVICES", "maybe"),
			[]string{`--record-unknown-devices (BELFRY_RECORD_UNKNOWN_DEVICES): must be true or false (got "maybe")`},
		},
		{
			"role twice", &Dispatcher{}, with("BELFRY_ROLES", "deliver,deliver"),
			[]string{`--roles (BELFRY_ROLES): must be fanout, deliver or fanout,deliver (got "deliver,deliver")`},
		},
		{"unknown role", &Dispatcher{}, with("BELFRY_ROLES", "drain"), []string{`--roles`}},
		{"metrics", &Replayer{}, env{"BELFRY_METRICS_LISTEN": "9090"}, []string{`--metrics-listen (BELFRY_METRICS_LISTEN): must be host:port`}},
		{"allowed hosts", &Ingest{}, env{"BELFRY_ALLOWED_HOSTS": "push.internal, *.example.com,10.0.0.7"}, nil},
		{"any host", &Sim{}, env{"BELFRY_ALLOWED_HOSTS": "*"}, nil},
		{
			"allowed hosts with a port", &Replayer{},
			env{"BELFRY_ALLOWED_HOSTS": "fine.example,push.internal:80"},
			[]string{
				`--allowed-hosts (BELFRY_ALLOWED_HOSTS): must be host names or IP addresses without a port, *.example.com or *, separated by ` +
					`commas (got "fine.example,push.internal:80")`,
			},
		},
		{
			"allowed hosts as URLs", &Up{}, env{"BELFRY_SANDBOX": "1", "BELFRY_ALLOWED_HOSTS": "https://push.internal"}, []string{`--allowed-hosts`},
		},
		{
			"connections of listeners", &Sim{},
			env{"BELFRY_MAX_CONNECTIONS": "0"},
			[]string{`--max-connections (BELFRY_MAX_CONNECTIONS): must be 1 to 1000000 (got "0")`},
		},
		{"drain", &Ingest{}, env{"BELFRY_DRAIN": "1h"}, []string{`--drain (BELFRY_DRAIN): must be 0s to 15m0s (got "1h0m0s")`}},
		{
			"drain without a unit", &Ingest{},
			env{"BELFRY_DRAIN": "15"},
			[]string{`--drain (BELFRY_DRAIN): must be a duration such as 15s or 1m30s (got "15")`},
		},
		{"log", &Sim{}, env{"BELFRY_LOG_LEVEL": "loud", "BELFRY_LOG_FORMAT": "xml"}, []string{
			`--log-level (BELFRY_LOG_LEVEL): must be debug, info, warn or error (got "loud")`,
			`--log-format (BELFRY_LOG_FORMAT): must be auto, json or console (got "xml")`,
		}},
		{"simulator", &Sim{}, env{"BELFRY_SIM_LISTEN": "x", "BELFRY_SIM_LATENCY": "-1s", "BELFRY_SIM_QUOTA": "-1"}, []string{
			`--sim-listen`, `--sim-latency (BELFRY_SIM_LATENCY): must be 0s to 10m0s`,
			`--sim-quota (BELFRY_SIM_QUOTA): must not be negative (got "-1")`,
		}},
		{
			"the sandbox does not look at FCM's place", &Up{},
			env{"BELFRY_SANDBOX": "true", "BELFRY_FCM_ENDPOINT": "nowhere", "BELFRY_FCM_CREDENTIALS": key + "x"},
			nil,
		},
		{"the sandbox looks at the pace", &Up{}, env{"BELFRY_SANDBOX": "true", "BELFRY_FCM_PER_SECOND": "0"}, []string{`--fcm-per-second`}},
		{"everything at once", &Dispatcher{}, env{
			"BELFRY_BACKEND": "x", "BELFRY_MAX_ATTEMPTS": "y", "BELFRY_DRAIN": "z", "BELFRY_METRICS_LISTEN": "m", "BELFRY_FCM_PER_SECOND": "-4",
		}, []string{`--max-attempts`, `--drain`, `--backend`, `--metrics-listen`, `--fcm-per-second`, `--fcm-credentials`}},
		{"demo", &Demo{}, env{"BELFRY_BACKEND": "x"}, []string{`--backend (BELFRY_BACKEND): must be embedded or aws`}},
		{"bench", &Bench{}, env{"BELFRY_FCM_PER_SECOND": "0"}, []string{`--fcm-per-second`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, ok, stdout, stderr := load(tt.cfg, tt.vars)
			if len(tt.want) == 0 {
				if !ok || code != 0 || stdout+stderr != "" {
					t.Errorf("refused with %d: %s", code, stderr)
				}
				return
			}
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			if ok || code != ExitUsage || len(lines) < 3 || stdout != "" {
				t.Fatalf("code %d, ok %v: %s%s", code, ok, stdout, stderr)
			}
			faults := lines[1 : len(lines)-1]
			if len(faults) != len(tt.want) {
				t.Fatalf("%d faults, want %d:\n%s", len(faults), len(tt.want), stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains("\n"+strings.Join(faults, "\n"), "\n"+want) {
					t.Errorf("no fault begins with %s:\n%s", want, stderr)
				}
			}
			if strings.Contains(stderr, "hush") {
				t.Errorf("a secret is printed: %s", stderr)
			}
		})
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown flag", []string{"--lisen=:1"}, 2, `unknown flag --lisen, did you mean "--listen"`},
		{"argument", []string{"now"}, 2, "unexpected argument now"},
		{"flag without its value", []string{"--drain"}, 2, "--drain"},
		{"faults of flags", []string{"--drain=x", "--listen=y"}, 2, "--drain (BELFRY_DRAIN): must be a duration"},
		{"not UTF-8", []string{"--listen=gr\xfcn:1"}, 2, "--listen: must be UTF-8 (byte 11 is 0xfc)"},
		{"a variable that is not UTF-8", nil, 2, "--api-key (BELFRY_API_KEY): must be UTF-8 (byte 4 is 0xff)"},
		{"demo size", nil, 2, `--recipients (BELFRY_RECIPIENTS): must be 1000 to 10000000 (got "5")`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var cfg any = &Ingest{}
			if tt.name == "demo size" {
				cfg, tt.args = &Demo{}, []string{"--recipients=5"}
			}
			var vars env
			if tt.name == "a variable that is not UTF-8" {
				vars = env{"BELFRY_FCM_PROJECT": "gr\xfcn", "BELFRY_API_KEY": "hush\xff"}
			}
			code, ok, _, stderr := load(cfg, vars, tt.args...)
			if ok || code != tt.code || !strings.Contains(stderr, tt.want) {
				t.Errorf("code %d, ok %v, want %q in:\n%s", code, ok, tt.want, stderr)
			}
		})
	}
}
