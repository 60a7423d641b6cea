package belfry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
)

func TestHelp(t *testing.T) {
	t.Parallel()

	tests := []struct{ file, args string }{
		{"belfry.help", "--help"},
		{"backup.help", "backup --help"},
		{"repair.help", "repair --help"},
		{"send.help", "send --help"},
		{"batch.help", "batch --help"},
		{"batch-create.help", "batch create --help"},
		{"batch-upload.help", "batch upload --help"},
		{"batch-get.help", "batch get --help"},
		{"batch-watch.help", "batch watch --help"},
		{"batch-report.help", "batch report --help"},
		{"explain.help", "explain --help"},
		{"notification-deliveries.help", "notification deliveries --help"},
		{"devices-import.help", "devices import --help"},
		{"up.help", "up --help"},
		{"sim.help", "sim --help"},
		{"provision.help", "provision --help"},
		{"doctor.help", "doctor --help"},
		{"cost.help", "cost --help"},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			r := belfry(t.Context(), "http://host", nil, strings.Fields(tt.args)...)
			r.Expect(t, display.ExitOK)
			if r.Err != "" || strings.Contains(r.Out, "key-1") {
				t.Errorf("stderr = %q; help must not show the key", r.Err)
			}
			clitest.Golden(t, tt.file, r.Out)
		})
	}
}

func TestNoArguments(t *testing.T) {
	t.Parallel()

	belfry(t.Context(), "", nil).Expect(t, display.ExitUsage, "Usage: belfry <command>")
}

func TestVersion(t *testing.T) {
	t.Parallel()

	belfry(t.Context(), "", nil, "version").Expect(t, display.ExitOK, "belfry devel")

	var out bytes.Buffer
	if code := Main([]string{"version"}, &out, &out, strings.NewReader(""), &services{}); code != display.ExitOK ||
		!strings.HasPrefix(out.String(), "belfry ") {
		t.Errorf("Main = %d, %q", code, &out)
	}
}

// TestUsage pins what mistakes in the arguments are answered with.
func TestUsage(t *testing.T) {
	t.Parallel()

	tests := []struct {
		args string
		want string
	}{
		{"foo", "belfry: unexpected argument foo\nRun belfry --help for its flags and examples.\n"},
		{"batch", `belfry batch: expected one of "create", "upload", "start", "pause", "resume", ...`},
		{"send --to-topik x", `belfry send: unknown flag --to-topik, did you mean "--to-topic"?`},
		{
			"send",
			"belfry send: nobody to send to: give --recipients FILE, or --to-token, --to-user, --to-topic …\nRun belfry send --help for its " +
				"flags and examples.\n",
		},
		{"send --to-token a --to-user b --title x", "too many kinds of recipients"},
		{"send --to-token a --recipients b --title x", "too many kinds of recipients"},
		{"send --to-token a", "nothing to send: give --message FILE, or --title TEXT"},
		{"send --to-token a --title x --message y", "--message and --title: give one of them"},
		{"send --recipients - --message -", "only one can be standard input"},
		{"send --to-token a --title x --priority urgent", `--priority: there is no "urgent"; it must be high, normal or bulk`},
		{"send --to-token a --title x --ttl soon", `--ttl: must be a duration such as 90s or 24h (got "soon")`},
		{"send --to-token a --title x --ttl -5s", `--ttl`},
		{"send --to-token a --title x --expires-at tomorrow", `--expires-at: must be a time such as 2030-01-02T15:04:05Z (got "tomorrow")`},
		{"send --to-token a --title x --ttl 1h --expires-at 2030-01-02T15:04:05Z", `--ttl and --expires-at: give one of them`},
		{"send --to-token a --title x -o xml", `--output must be one of "table","wide","json" but got "xml"`},
		{"send --to-token a --title x --api push.example.com", "belfry send: wrong settings\n  --api (BELFRY_API): must be http://host"},
		{"send --to-token a --title x --api-key a\tb", "API key: must be printable ASCII without spaces"},
		{"batch get", "belfry batch get: expected \"<id>\""},
		{"batch upload bat_1", `belfry batch upload: expected "<file>"`},
		{"notification list --limit=-1", "--limit: must not be negative (got -1)"},
		{"notification list --limit many", "belfry notification list: wrong settings\n  --limit: must be a whole number (got \"many\")"},
		{"up", "belfry up: wrong settings\n  --fcm-credentials (BELFRY_FCM_CREDENTIALS): is required"},
		{
			"up --sandbox --drain x --max-attempts 0",
			"--drain (BELFRY_DRAIN): must be a duration such as 15s or 1m30s (got \"x\")\n  --max-attempts (BELFRY_MAX_ATTEMPTS): must be 1 to " +
				"100 (got \"0\")",
		},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			r := belfry(t.Context(), "http://host.invalid", nil, strings.Split(tt.args, " ")...)
			r.Expect(t, display.ExitUsage, tt.want, " --help for its flags and examples.")
			if r.Out != "" {
				t.Errorf("standard output = %q, want none", r.Out)
			}
		})
	}
}

type codedError int

func (codedError) Error() string   { return "the demo failed" }
func (e codedError) ExitCode() int { return int(e) }

func TestServices(t *testing.T) {
	t.Parallel()

	logs := config.Log{Level: "info", Format: "auto"}
	tests := []struct {
		name string
		args []string
		err  error
		code int
		ran  any
	}{
		{"sim", []string{"sim", "--sim-latency", "50ms"}, nil, 0, config.Sim{
			Simulator: config.Simulator{Listen: "127.0.0.1:8090", Latency: 50 * time.Millisecond, Keep: 100_000}, Log: logs,
			Listeners: config.Listeners{MaxConnections: config.DefaultMaxConnections},
		}},
		{"demo", []string{"demo", "--recipients=5000"}, nil, 0, config.Demo{Backend: "embedded", Recipients: 5000}},
		{"failure", []string{"demo"}, errors.New("port in use"), display.ExitFailure, config.Demo{Backend: "embedded", Recipients: 10_000}},
		{"its own code", []string{"demo"}, fmt.Errorf("act 3: %w", codedError(7)), 7, config.Demo{Backend: "embedded", Recipients: 10_000}},
		{"interrupted", []string{"demo"}, context.Canceled, display.ExitInterrupted, config.Demo{Backend: "embedded", Recipients: 10_000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			s := &services{err: tt.err}
			code := program(func(string) (string, bool) { return "", false }, s).Run(t.Context(), tt.args, &display.Console{Out: &out, Err: &out})
			if code != tt.code {
				t.Errorf("exit code %d, want %d: %s", code, tt.code, &out)
			}
			if diff := cmp.Diff(tt.ran, s.ran); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
			if said := out.Len() > 0; said != (tt.err != nil) {
				t.Errorf("output = %q", &out)
			}
		})
	}
	s := &services{}
	for _, args := range [][]string{{"up", "--sandbox"}, {"bench"}} {
		if code := program(func(string) (string, bool) { return "", false }, s).Run(t.Context(), args,
			&display.Console{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}); code != 0 {
			t.Errorf("%v: exit code %d", args, code)
		}
		switch c := s.ran.(type) {
		case config.Up:
			if !c.Sandbox {
				t.Error("up without --sandbox")
			}
		case config.Bench:
		default:
			t.Errorf("%v ran %T", args, s.ran)
		}
	}
}
