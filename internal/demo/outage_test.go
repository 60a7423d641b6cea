package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-push/belfry/infra/alerts"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/trace"
)

// recorded is a recording of a breaker: a letter a sample, o for open, c for closed, and - for a page without it.
func recorded(t *testing.T, states string) *recording {
	t.Helper()
	r := newRecording()
	for _, s := range states {
		var page strings.Builder
		page.WriteString("# TYPE belfry_breaker_state gauge\nbelfry_other{state=\"open\"} 1\n")
		for letter, state := range map[rune]string{'o': "open", 'c': "closed"} {
			if s == '-' {
				continue
			}
			value := 0
			if s == letter {
				value = 1
			}
			fmt.Fprintf(&page, "belfry_breaker_state{credential=\"shop\",state=%q} %d\n", state, value)
		}
		if err := r.read(strings.NewReader(page.String())); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestPlay: what a recording is written as, and promtool's verdict on it. An outage of five minutes fires; one that is
// shorter, or was interrupted, is a failure and no demo.
func TestPlay(t *testing.T) {
	t.Parallel()
	for states, want := range map[string]struct {
		values string
		over   bool
		passes bool
	}{
		"cccooooooo":      {"0+0x2 1+0x6", false, true},
		"-ccooooooocc":    {"_x1 0+0x1 1+0x6 0+0x1", true, true},
		"ccoooooo":        {"0+0x1 1+0x5", true, false}, // over, and it still fires
		"ccooocooo":       {"0+0x1 1+0x2 0 1+0x2", false, false},
		"ccoooo-ooo":      {"0+0x1 1+0x3 _x1 1+0x2", false, true}, // Prometheus looks five minutes back
		"ccooooocccccccc": {"0+0x1 1+0x4 0+0x7", true, false},
	} {
		text, err := recorded(t, states).play(want.over)
		if err != nil || !strings.Contains(text, "state=\"open\"}\n    values: '"+want.values+"'") {
			t.Errorf("%s: %v\n%s", states, err, text)
			continue
		}
		tool, err := exec.LookPath(promtool)
		if err != nil {
			continue // test/docs says so
		}
		dir := t.TempDir()
		for name, text := range map[string]string{playFile: text, ruleFile: alerts.Rules()} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), tool, "test", "rules", playFile)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); (err == nil) != want.passes {
			t.Errorf("%s: %v, want a pass: %v\n%s\n%s", states, err, want.passes, text, out)
		}
	}
}

// TestPlayWithoutOutage: a breaker that did not open, or was open from the start, is said.
func TestPlayWithoutOutage(t *testing.T) {
	t.Parallel()
	for _, states := range []string{"", "ccc", "ooo"} {
		if text, err := recorded(t, states).play(false); err == nil || !strings.Contains(err.Error(), "no breaker was seen to open") {
			t.Errorf("%q: %v\n%s", states, err, text)
		}
	}
}

// TestLeftOut: a command whose program is missing is said and left out, with the remedy, once for each program.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	n := &night{show: &show{out: &out, dir: t.TempDir()}}
	for range 2 {
		if err := n.shell(t.Context(), "", "echo a | belfry-is-no-such-tool"); err != nil {
			t.Fatal(err)
		}
	}
	n.leftOut(promtool, "promtool test rules x.yml")
	if len(n.missing) != 2 || !strings.Contains(out.String(), "apt install prometheus") || strings.Contains(out.String(), "\n$ ") {
		t.Errorf("%q\n%s", n.missing, out.String())
	}
}

// TestShellIsHeldToWhatItSays: another exit code, or another answer, is an error; and so is a command that cannot be run.
func TestShellIsHeldToWhatItSays(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	n := &night{show: &show{out: &out, dir: t.TempDir()}}
	for command, fault := range map[string]string{
		"echo wanted": "", "echo other": `printed nothing of "wanted"`, "echo wanted; exit 3": "ended with 3, not 0",
	} {
		switch err := n.shell(t.Context(), "wanted", command); {
		case fault == "" && err != nil, fault != "" && (err == nil || !strings.Contains(err.Error(), fault)):
			t.Errorf("%s: %v, want %q", command, err, fault)
		}
	}
	if !strings.Contains(out.String(), "(exit code 3)") {
		t.Error(out.String())
	}
}

// TestTree: spans stand below those that caused them, with times counted from the first; one whose parent is elsewhere
// stands at the left.
func TestTree(t *testing.T) {
	t.Parallel()
	s := newSpans()
	begun := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	root := telemetry.NewTraceParent(true)
	first, second := root.Child(), root.Child()
	record := func(name string, at, parent telemetry.TraceParent, after, took time.Duration, fault string) {
		s.Record(&trace.Ended{
			Name: name, At: at, Parent: parent, Start: begun.Add(after), End: begun.Add(after + took), Fault: fault,
			Attrs: []trace.Attr{trace.Text(trace.KeyVerdict, "retry")},
		})
	}
	record("work", second, root, 12*time.Second, 5*time.Millisecond, "")
	record("call", first.Child(), first, 3*time.Millisecond, 2*time.Millisecond, "fcm.unavailable")
	record("work", first, root, 2*time.Millisecond, 9*time.Millisecond, "")
	record("request", root, telemetry.NewTraceParent(true), 0, time.Millisecond, "")
	const want = `   AFTER      TOOK  SPAN
    0 ms      1 ms  request: retry
    2 ms      9 ms    work: retry
    3 ms      2 ms      call: fcm.unavailable
  12.0 s      5 ms    work: retry
`
	if got := s.tree(root.String()[3:35], 80); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := s.tree("00", 80); got != "" {
		t.Errorf("of no trace: %s", got)
	}
}
