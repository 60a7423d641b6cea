package command

import "testing"

// What a help says reaches the reader as it is, and its examples are code.
func TestProse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"One line.": "One line.",
		"Say:\n\n    belfry send\n    belfry up # <here>\n\nThen *stop* {{x}} <b> at _sim."://
		"Say:\n\n```sh\nbelfry send\nbelfry up # <here>\n```\n\n" + `Then \*stop\* {\{x}} \<b> at \_sim.`,
		"End:\n\n    a\n\n    b": "End:\n\n```sh\na\n\nb\n```",
	} {
		if got := prose(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
