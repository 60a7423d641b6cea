// Package runbooks holds the runbook of dead letters for the programs that print it:
// who is on call has the program, and perhaps not the repository.
package runbooks

import (
	_ "embed" // the text
	"strings"
)

//go:embed dead-letters.md
var deadLetters string

// Section returns what the runbook says of an outcome code, in Markdown without its
// heading; "" for what is no code.
func Section(code string) string {
	_, rest, ok := strings.Cut(deadLetters, "\n### `"+code+"`\n")
	if !ok {
		return ""
	}
	var section strings.Builder
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "### ") {
			break
		}
		section.WriteString(line)
	}
	return strings.TrimSpace(section.String())
}
