// Package runbooks holds those runbooks that programs print, or show at work: who is on
// call has the program, and perhaps not the repository.
package runbooks

import (
	_ "embed" // the text
	"strings"
)

//go:embed dead-letters.md
var deadLetters string

//go:embed breaker-open.md
var breakerOpen string

// BreakerOpenChecks returns the commands that the runbook of BelfryBreakerOpen has under Check, without comments.
func BreakerOpenChecks() []string {
	_, rest, _ := strings.Cut(breakerOpen, "\n**Check.**")
	_, rest, _ = strings.Cut(rest, "\n```sh\n")
	block, _, _ := strings.Cut(rest, "\n```")
	commands := strings.Split(block, "\n")
	for i, c := range commands {
		c, _, _ = strings.Cut(c, " #")
		commands[i] = strings.TrimSpace(c)
	}
	return commands
}

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
