package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/belfry-push/belfry/test/programs"
)

var programsOf programs.Programs

// beProgram makes the test binary this command, which starts itself as contender and stand-in.
const beProgram = "be-the-program"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == beProgram {
		os.Args = append(os.Args[:1], os.Args[2:]...)
		main()
		return
	}
	os.Exit(programsOf.Main(m.Run))
}

// TestRound has every contender send a little, for real; how fast does not matter.
func TestRound(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the comparison runs on Linux")
	}
	p := plan{Recipients: 300, Rounds: 1, InFlight: 50, Latency: time.Millisecond, self: []string{beProgram}}
	p.bin = filepath.Dir(programsOf.Path(t, "ingest"))
	var progress bytes.Buffer
	r, err := measure(t.Context(), p, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	for _, name := range contenders() {
		s, ok := r.Rounds[0][name]
		if !ok || s.Rate <= 0 || s.CPU <= 0 || s.Allocs < 0 || s.RSS <= 0 || s.Others < 0 || s.Others > 1 {
			t.Errorf("%s: %+v", name, s)
		}
		if !strings.Contains(progress.String(), name) {
			t.Errorf("progress does not name %s: %s", name, &progress)
		}
	}

	dir := t.TempDir()
	file, doc, ratios := filepath.Join(dir, "r.json"), filepath.Join(dir, "d.md"), filepath.Join(dir, "ratios.json")
	if err := os.WriteFile(doc, []byte("before\n"+begin+"\nold\n"+end+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (options{out: file, update: doc, commit: ratios, check: ratios}).report(r, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "no ratio is worse") {
		t.Errorf("said %s", &out)
	}
	checkDocument(t, doc)
	var again Results
	if err := readJSON(file, &again); err != nil || !reflect.DeepEqual(again.Rounds, r.Rounds) || again.Recipients != p.Recipients {
		t.Errorf("%v; read back %+v", err, again)
	}
	out.Reset()
	if err := run(t.Context(), []string{"-from", file, "-o", "json"}, &out, &out); err != nil || !strings.HasPrefix(out.String(), "{") {
		t.Errorf("%v: %s", err, &out)
	}
}

func checkDocument(t *testing.T, doc string) {
	t.Helper()
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "before\n"+begin+"\n```text\n") || !strings.HasSuffix(string(text), "```\n"+end+"\nafter\n") {
		t.Errorf("document:\n%s", text)
	}
	for _, name := range contenders() {
		if !strings.Contains(string(text), label(name)) {
			t.Errorf("no %s in\n%s", label(name), text)
		}
	}
}

// rounds are three of them; factor is how much worse the pipeline is with unknown devices than it could be.
func rounds(factor float64) Results {
	r := Results{}
	for _, weather := range []float64{1, 0.5, 0.8} { // what the machine does meanwhile meets all alike
		of := func(rate, cpu float64) Sample {
			return Sample{Rate: rate * weather, CPU: cpu / weather, Allocs: 70, RSS: 1234, Others: 0.4}
		}
		r.Rounds = append(r.Rounds, Round{
			plainName: of(10_000, 50), senderName: of(17_000, 15), knownName: of(15_000, 40),
			unknownName: of(14_000/factor, 50*factor), officialName: of(5000, 150),
		})
	}
	r.summarize()
	return r
}

func TestRatiosDoNotDependOnTheMachine(t *testing.T) {
	t.Parallel()
	r := rounds(1)
	if got := r.Ratios[senderName]; got.Rate != 1.7 || got.CPU < 0.299 || got.CPU > 0.301 || got.Allocs != 1 {
		t.Errorf("ratios %+v", got)
	}
	if got := r.Medians[plainName].Rate; got != 8000 {
		t.Errorf("median rate %v", got)
	}
	for line := range strings.Lines(r.table()) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ratios.json")
	was := rounds(1)
	if err := writeJSON(file, was.committed()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		factor float64
		fault  []string
		said   string
	}{
		{"as it was", 1, nil, "no ratio is worse"},
		{"within the tolerance", 1.1, nil, "no ratio is worse"},
		{"worse", 1.3, []string{
			"pipeline, unknown devices, rate", "1.077, committed 1.400: -23 %", "CPU", "to known ones", "others took 40 %",
		}, ""},
		{"better", 0.8, nil, "keeps it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := check(file, rounds(c.factor), &out)
			if (err != nil) != (c.fault != nil) || !strings.Contains(out.String(), c.said) {
				t.Fatalf("%v; said %q", err, &out)
			}
			for _, want := range c.fault {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %v", want, err)
				}
			}
		})
	}
}

func TestCheckComparesLikeWithLike(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ratios.json")
	r := rounds(1)
	if err := writeJSON(file, r.committed()); err != nil {
		t.Fatal(err)
	}
	r.Recipients = 17
	var out bytes.Buffer
	for _, err := range []error{check(file, r, &out), run(t.Context(), []string{"-check", file, "-n", "17"}, &out, &out)} {
		if err == nil || !strings.Contains(err.Error(), "-n 17") {
			t.Errorf("got %v", err)
		}
	}
}

func TestCommittedRatios(t *testing.T) {
	t.Parallel()
	if _, err := readCommitted("ratios.json"); err != nil {
		t.Error(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readCommitted(empty); err == nil || !strings.Contains(err.Error(), "-commit") {
		t.Errorf("empty file: %v", err)
	}
}

func TestCPUList(t *testing.T) {
	t.Parallel()
	if got := cpuList("0-2,5"); strings.Join(got, " ") != "cpu0 cpu1 cpu2 cpu5" {
		t.Errorf("got %v", got)
	}
}

func TestFaultsOfUse(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-rounds 0": "at least 1", "-as nobody": `no contender "nobody"`, "-bin " + t.TempDir(): "make build", "-check " + t.TempDir(): "bench:",
		"-from " + filepath.Join(t.TempDir(), "none"): "none",
	} {
		var out bytes.Buffer
		if err := run(t.Context(), strings.Fields(args), &out, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
