package runbooks

import (
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/push"
)

// Every code has a section of its own, and none runs into the next.
func TestSection(t *testing.T) {
	t.Parallel()
	for _, f := range push.Codes() {
		text := Section(f.Name)
		if !strings.HasPrefix(text, "**Meaning.**") || !strings.Contains(text, "**Replay or discard.**") {
			t.Errorf("%s: %q", f.Name, text)
		}
		if strings.Contains(text, "\n#") || strings.Count(text, "**Meaning.**") != 1 {
			t.Errorf("%s runs into the next section", f.Name)
		}
	}
	if text := Section("nope"); text != "" {
		t.Errorf("nope: %q", text)
	}
}

// The commands are those of the runbook, a line each, and nothing of the text around them.
func TestBreakerOpenChecks(t *testing.T) {
	t.Parallel()
	commands := BreakerOpenChecks()
	if len(commands) < 3 {
		t.Errorf("%q", commands)
	}
	for _, c := range commands {
		if program, _, _ := strings.Cut(c, " "); program != "belfry" && program != "curl" {
			t.Errorf("no command: %q", c)
		}
	}
}
