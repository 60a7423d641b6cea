package examples

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/standins"
)

var (
	commands programs.Programs
	servers  standins.Servers
)

func TestMain(m *testing.M) { os.Exit(commands.Main(m.Run, servers.Stop)) }

// root is the checkout.
var root = filepath.Join("..", "..")

// TestEveryExampleIsRun: an example that no test names would be run by none.
func TestEveryExampleIsRun(t *testing.T) {
	t.Parallel()
	run := map[string]bool{"curl": true, "go": true, "sns-publisher": true, "outcome-worker": true, "typescript": true}
	entries, err := os.ReadDir(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	overview, err := os.ReadFile(filepath.Join(root, "examples", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if !run[e.Name()] {
			t.Errorf("no test runs examples/%s", e.Name())
		}
		if !strings.Contains(string(overview), "("+e.Name()+"/)") {
			t.Errorf("examples/README.md has no row for %s", e.Name())
		}
	}
}

// The script prints how both deliveries ended, with a key and without.
func TestCurl(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("there is no " + tool + " on this machine")
		}
	}
	for _, key := range []string{"", "a-key-of-the-examples"} {
		api := up(t, key)
		script := func(key string) (string, error) {
			cmd := exec.CommandContext(t.Context(), filepath.Join(root, "examples", "curl", "send.sh"))
			cmd.Env = append(os.Environ(), "BELFRY_API=http://"+api, "BELFRY_API_KEY="+key) //nolint:forbidigo // a child inherits it
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		out, err := script(key)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		matches(t, out, `(?s)^accepted as ntf_\S+\ncompleted: 1 sent, 1 permanent\nfcm\.unregistered: permanent\nsent: sent\n$`)
		if key == "" {
			continue
		}
		if out, err := script("another"); err == nil || !strings.Contains(out, `"unauthenticated"`) {
			t.Errorf("with a wrong key the script ends with %v and prints: %s", err, out)
		}
	}
}

// The program sends one and many, and says why some failed.
func TestGo(t *testing.T) {
	t.Parallel()
	api := up(t, "")
	cmd := program(t, "go", "BELFRY_API=http://"+api)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	matches(t, string(out), `(?m)^notification ntf_\S+: completed, 1 sent$`)
	matches(t, string(out), `(?m)^batch bat_\S+: completed, 990 sent$`)
	matches(t, string(out), `(?m)^  10 failed: fcm\.unregistered$`)
}

// What the publisher asks for arrives, once, although it publishes twice; and the
// worker tells of it, and of a device that is gone.
func TestEvents(t *testing.T) {
	t.Parallel()
	env := servers.Start(t).Env()
	if len(env) == 0 {
		t.Skip("the examples' defaults are the stand-ins'")
	}
	commands.Output(t, "belfry", env, "provision")
	sim := commands.Simulator(t, 0)
	settings := append(env, "BELFRY_BACKEND=aws", "BELFRY_LISTEN=127.0.0.1:0", "BELFRY_LOG_FORMAT=json", "BELFRY_FCM_ENDPOINT="+sim.Endpoint)
	_, rest := commands.Start(t, `"listen":"`, "belfry", settings, "up")
	api, _, _ := strings.Cut(rest, `"`)
	belfry := []string{"BELFRY_API=http://" + api}

	worker := program(t, "outcome-worker", env...)
	worker.Args = append(worker.Args, "-create")
	var said lines
	worker.Stdout, worker.Stderr = &said, &said
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- worker.Wait() }()
	programs.WaitFor(t, "the worker", func() bool { return said.has(t, ended, "waiting for events") })

	for device, token := range map[string]string{"phone-of-alice": "token-of-alice", "old-phone-of-alice": "sim-unregistered-3"} {
		commands.Output(t, "belfry", belfry, "devices", "put", device, "--token", token, "--platform", "android", "--user", "alice")
	}
	for range 2 {
		out, err := program(t, "sns-publisher", env...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		matches(t, string(out), `^published order-1042-shipped as \S+\n$`)
	}
	for _, want := range []string{"completed: 1 of 2 sent\n", "device old-phone-of-alice of alice is gone (fcm.unregistered)\n"} {
		programs.WaitFor(t, want, func() bool { return said.has(t, ended, want) })
	}
	if times := sim.Accepted(t)["token-of-alice"]; times != 1 {
		t.Errorf("the phone got the message %d times", times)
	}
}

// up runs a sandbox with a key, or none, and returns where it listens.
func up(t *testing.T, key string) (api string) {
	t.Helper()
	_, rest := commands.Start(t, `"listen":"`, "belfry", []string{
		"BELFRY_DATA=" + t.TempDir(), "BELFRY_LISTEN=127.0.0.1:0", "BELFRY_SIM_LISTEN=127.0.0.1:0", "BELFRY_LOG_FORMAT=json",
		"BELFRY_API_KEY=" + key,
	}, "up", "--sandbox")
	api, _, _ = strings.Cut(rest, `"`)
	return api
}

// program builds an example and returns it, not started yet.
func program(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	at := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", at, "github.com/belfry-push/belfry/examples/"+name)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), at)
	cmd.Env = append(os.Environ(), env...) //nolint:forbidigo // a child inherits it
	cmd.Cancel = func() error { return cmd.Process.Kill() }
	return cmd
}

func matches(t *testing.T, said, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(said) {
		t.Errorf("want %s, got:\n%s", pattern, said)
	}
}

// lines are what a process has printed so far.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// has reports whether the process has printed a text; it must not have ended.
func (l *lines) has(t *testing.T, ended <-chan error, want string) bool {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case err := <-ended:
		t.Fatalf("the process ended: %v: %s", err, l.text.String())
	default:
	}
	return strings.Contains(l.text.String(), want)
}
