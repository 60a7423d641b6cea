package display_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/cli/display"
)

func TestHanging(t *testing.T) {
	t.Parallel()
	rows := [][]string{
		{"ok", "data directory", "d is writable"},
		{"failed", "größe", "one two three four five six seven"},
		{"", "", "to do: eight nine ten eleven"},
		{"ok", "alone"},
	}
	for width, want := range map[int]string{
		0: `  ok      data directory  d is writable
  failed  größe           one two three four five six seven
                          to do: eight nine ten eleven
  ok      alone
`,
		48: `  ok      data directory  d is writable
  failed  größe           one two three four
                          five six seven
                          to do: eight nine ten
                          eleven
  ok      alone
`,
		30: `  ok      data directory  d is writable
  failed  größe           one two three four five six seven
                          to do: eight nine ten eleven
  ok      alone
`, // too narrow to be broken well
	} {
		if d := cmp.Diff(want, display.Hanging(rows, width, "  ")); d != "" {
			t.Errorf("%d columns (-want +got):\n%s", width, d)
		}
	}
	if got := display.Hanging(nil, 80, ""); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
