package push

import (
	"strings"
	"testing"
)

func TestLabel(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"campaign": "spring", "note": "", "math": "a=b"}
	for text, want := range map[string]bool{
		"campaign": true, "campaign=spring": true, "campaign=": false, "campaign=autumn": false, "Campaign=spring": false,
		"note": true, "note=": true, "math=a=b": true, "math=a": false, "other": false, "other=": false, "": false, "=": false,
	} {
		l := ParseLabel(text)
		if got := l.In(labels); got != want {
			t.Errorf("%q: %v", text, got)
		}
		if l.In(nil) {
			t.Errorf("%q: in no labels", text)
		}
	}
}

func TestCheckLabel(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 128)
	for _, c := range []struct{ name, value, code string }{
		{"campaign", "spring", ""},
		{long, long, ""},
		{"ä=", "", ""},
		{"", "spring", FaultTooLarge},
		{long + "x", "", FaultTooLarge},
		{"x", long + "x", FaultTooLarge},
		{"x", "a\x00b", FaultValue},
	} {
		if code, why := CheckLabel(c.name, c.value); code != c.code || (code == "") != (why == "") {
			t.Errorf("%.9q=%.9q: %q, %q", c.name, c.value, code, why)
		}
	}
}
