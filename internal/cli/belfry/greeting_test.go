package belfry

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// TestGreeting: whoever starts belfry up reads what runs where, whether a key is
// needed, and what works next as it is printed.
func TestGreeting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(key, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args   []string
		env    map[string]string
		at     allinone.Addresses
		has    []string
		hasNot []string
	}{
		"sandbox": {
			args: []string{"up", "--sandbox", "--data", dir},
			at:   allinone.Addresses{API: "http://127.0.0.1:8080", Sim: "http://127.0.0.1:8090"},
			has: []string{
				"is up", "API    http://127.0.0.1:8080", "data   " + dir, "none is needed", "simulator at http://127.0.0.1:8090",
				"\n  belfry send --to-token my-phone --title Hello\n", "\n  curl http://127.0.0.1:8080/v1/notifications\n", documentation,
			},
			hasNot: []string{"--api", "BELFRY_API_KEY"},
		},
		"sandbox with a key": {
			args: []string{"up", "--sandbox", "--data", dir, "--require-key"},
			at:   allinone.Addresses{API: "http://127.0.0.1:8080", Sim: "http://127.0.0.1:8090", Keyed: true},
			has:  []string{"callers must send an API key", "export BELFRY_API_KEY=", "--to-token my-phone"},
		},
		"another port": {
			args: []string{"up", "--sandbox", "--data", dir}, at: allinone.Addresses{API: "http://127.0.0.1:9000", Sim: "http://127.0.0.1:1"},
			has: []string{"--title Hello --api http://127.0.0.1:9000\n", "curl http://127.0.0.1:9000/"},
		},
		"with a key, on every interface, for real": {
			args: []string{"up", "--data", dir, "--listen", ":8080", "--fcm-credentials", key}, env: map[string]string{"BELFRY_API_KEY": "s3cret"},
			at: allinone.Addresses{API: "http://[::]:8080", Keyed: true},
			has: []string{
				"API    http://127.0.0.1:8080", "callers must send an API key", "export BELFRY_API_KEY=", "--to-token TOKEN",
				`curl -H "Authorization: Bearer $BELFRY_API_KEY" http://127.0.0.1:8080/v1/notifications`, "FCM    https://fcm.googleapis.com",
			},
			hasNot: []string{"s3cret", "simulator", "--api "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			lookup := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
			code := program(lookup, &services{listens: c.at}).Run(t.Context(), c.args, &display.Console{Out: &out, Err: &errs})
			if code != display.ExitOK {
				t.Fatalf("exit code %d: %s", code, errs.String())
			}
			for _, want := range c.has {
				if !strings.Contains(out.String(), want) {
					t.Errorf("lacks %q:\n%s", want, out.String())
				}
			}
			for _, no := range c.hasNot {
				if strings.Contains(out.String(), no) {
					t.Errorf("has %q:\n%s", no, out.String())
				}
			}
			for line := range strings.Lines(out.String()) {
				if len(line) > 81 && !strings.Contains(line, dir) && !strings.Contains(line, "curl -H") {
					t.Errorf("wider than a terminal of 80 columns: %q", line)
				}
			}
		})
	}
}
