package release

import (
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/belfry-push/belfry/test/standins"
)

var actionlint = flag.String("actionlint", "", "actionlint, for the workflow")

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// units are the systemd units, by name.
func units(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(root + "/packaging/systemd/*.service")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no units: %v", err)
	}
	all := map[string]string{}
	for _, path := range paths {
		all[filepath.Base(path)] = read(t, "packaging/systemd/"+filepath.Base(path))
	}
	return all
}

// TestVariables wants every variable of Belfry's and of AWS that a file of the packaging sets to be one that is read.
func TestVariables(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"AWS_REGION": true}
	for _, m := range regexp.MustCompile("(?m)^\\| `(BELFRY_[A-Z_]+)`").FindAllStringSubmatch(read(t, "docs/settings.md"), -1) {
		known[m[1]] = true
	}
	for _, line := range (standins.Endpoints{SQS: "-"}).Env() {
		name, _, _ := strings.Cut(line, "=")
		known[name] = true
	}
	const settings = 40
	if len(known) < settings {
		t.Fatalf("docs/settings.md names %d variables, there were %d and more", len(known), settings)
	}
	known["BELFRY_IMAGE"] = true // of compose.yaml itself
	sets := regexp.MustCompile(`\b((?:BELFRY|AWS)_[A-Z_]+)\b`)
	texts := units(t)
	for _, name := range []string{"compose.yaml", "packaging/Dockerfile", "packaging/systemd/belfry.env"} {
		texts[name] = read(t, name)
	}
	found := 0
	for name, text := range texts {
		for _, m := range sets.FindAllStringSubmatch(text, -1) {
			found++
			if !known[m[1]] {
				t.Errorf("%s: no program reads %s", name, m[1])
			}
		}
	}
	const least = 25
	if found < least {
		t.Errorf("%d variables, there were %d and more", found, least)
	}
}

// TestCompose wants what compose.yaml runs to be our programs with commands that they have, and nothing to listen beyond this
// machine or to run with more rights than it needs.
func TestCompose(t *testing.T) {
	t.Parallel()
	var file struct {
		Services map[string]struct {
			Image      string
			Build      struct{ Dockerfile string }
			Entrypoint []string
			Command    []string
			ReadOnly   bool              `yaml:"read_only"`
			CapDrop    []string          `yaml:"cap_drop"`
			Network    string            `yaml:"network_mode"`
			DependsOn  yaml.Node         `yaml:"depends_on"`
			Env        map[string]string `yaml:"environment"`
			Ports      []string
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"belfry", "standins", "provision", "simulator", "ingest", "dispatcher", "dlq-replayer"} {
		if _, ok := file.Services[want]; !ok {
			t.Errorf("there is no service %s", want)
		}
	}
	for name, s := range file.Services {
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: the port %s is open to others", name, p)
			}
		}
		if s.Build.Dockerfile != "" {
			read(t, s.Build.Dockerfile)
			continue
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s: its root is not read-only, or it has capabilities", name)
		}
		program := "belfry"
		if len(s.Entrypoint) > 0 {
			program = filepath.Base(s.Entrypoint[0])
		}
		reference := read(t, "docs/cli/"+program+".md")
		for i, word := range s.Command {
			if flag := strings.HasPrefix(word, "--"); flag && !strings.Contains(reference, "`"+word+"`") ||
				!flag && i == 0 && !strings.Contains(reference, "\n## "+program+" "+word+"\n") {
				t.Errorf("%s: %s has no %s", name, program, word)
			}
		}
		if s.Network != "" {
			if s.Network != "service:standins" || s.Env["BELFRY_BACKEND"] != "aws" || s.Env["AWS_ENDPOINT_URL_DYNAMODB"] == "" {
				t.Errorf("%s is not on the stand-ins: %+v", name, s)
			}
		}
	}
}

// TestUnits wants each unit to be hardened to 2.0 or less, to drain when it is stopped, and to be watched.
func TestUnits(t *testing.T) {
	t.Parallel()
	all := units(t)
	const services = 4
	if len(all) != services {
		t.Errorf("%d units, want %d", len(all), services)
	}
	config := read(t, "packaging/nfpm.yaml")
	for name, text := range all {
		for _, want := range []string{
			"Type=notify", "WatchdogSec=", "KillSignal=SIGTERM", "Restart=always", "StateDirectory=belfry", "EnvironmentFile=/etc/belfry/belfry.env",
		} {
			if !strings.Contains(text, "\n"+want) {
				t.Errorf("%s has no %s", name, want)
			}
		}
		m := regexp.MustCompile(`(?m)^ExecStart=(\S+)(?: (\S+))?`).FindStringSubmatch(text)
		if m == nil || !strings.Contains(config, "dst: "+m[1]+",") || !strings.Contains(config, "/"+name+",") {
			t.Errorf("%s, or what it starts, is not in the packages: %v", name, m)
		}
		program := filepath.Base(m[1])
		if m[2] != "" && !strings.Contains(read(t, "docs/cli/"+program+".md"), "\n## "+program+" "+m[2]+"\n") {
			t.Errorf("%s: %s has no %s", name, program, m[2])
		}
		stop, err := strconv.Atoi(regexp.MustCompile(`TimeoutStopSec=(\d+)`).FindStringSubmatch(text)[1])
		if err != nil || stop < 75 { // BELFRY_DRAIN by default, and a minute
			t.Errorf("%s is killed after %d s, while it drains", name, stop)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze on this machine: how exposed the services are was not rated")
	}
	for name := range all {
		out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", "--threshold=20",
			filepath.Join(root, "packaging", "systemd", name)).CombinedOutput()
		m := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Errorf("%s: more exposed than 2.0: %v\n%s", name, err, out)
			continue
		}
		t.Logf("%s: %s", name, m[1])
	}
}

// TestScripts wants a shell to take every script as it stands.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(root + "/packaging/scripts/*.sh")
	const least = 3
	if err != nil || len(scripts) < least {
		t.Fatalf("%v, %v", scripts, err)
	}
	for _, path := range append(scripts, script) {
		if out, err := exec.CommandContext(t.Context(), "sh", "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", path, err, out)
		}
		if !strings.Contains(read(t, strings.TrimPrefix(path, root+"/")), "\nset -eu\n") {
			t.Errorf("%s goes on after a failure", path)
		}
	}
}

// TestWorkflow wants the workflow to call targets that the Makefile has and files that are there; and, with -actionlint,
// nothing in it that GitHub would refuse.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	text, makefile := read(t, ".github/workflows/release.yml"), read(t, "Makefile")
	var workflow map[string]any
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bmake ([a-z-]+)`).FindAllStringSubmatch(text, -1) {
		called[m[1]] = true
	}
	for target := range called {
		if !strings.Contains(makefile, "\n"+target+":") {
			t.Errorf("the Makefile has no target %s", target)
		}
	}
	if !called["release"] || !called["ui"] {
		t.Errorf("it calls make for %v", slices.Sorted(maps.Keys(called)))
	}
	for _, m := range regexp.MustCompile(`packaging/\S+`).FindAllString(text, -1) {
		read(t, m)
	}
	if *actionlint != "" {
		if out, err := exec.CommandContext(t.Context(), *actionlint, "-no-color",
			root+"/.github/workflows/release.yml").CombinedOutput(); err != nil {
			t.Errorf("actionlint: %v\n%s", err, out)
		}
	}
}
