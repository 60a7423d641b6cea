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
