package display

import "github.com/fatih/color"

// tone is what a text means to whoever skims it.
type tone int

const (
	plain tone = iota
	heading
	good
	waits // for time or for somebody
	bad
)

// toneOf tells the tone of a state, a class or a verdict.
func toneOf(word string) tone {
	switch word {
	case "completed", "sent", "active", "replayed", "ok", "OK", "closed", "would_send", "done":
		return good
	case "held", "paused", "parked", "stopped", "quarantined", "warning", "uploading", "ambiguous", "retryable", "breaker_open",
		"degraded", "DEGRADED", "draining", "half_open", "half-open", "forced open", "forced closed":
		return waits
	case "failed", "permanent", "dead_lettered", "would_fail_again", "failing", "FAILING", "silent", "open", "refused":
		return bad
	}
	return plain
}

// paint colours a text.
func paint(text string, t tone) string {
	var c *color.Color
	switch t {
	case heading:
		c = color.New(color.Bold)
	case good:
		c = color.New(color.FgGreen)
	case waits:
		c = color.New(color.FgYellow)
	case bad:
		c = color.New(color.FgRed)
	case plain:
		return text
	}
	c.EnableColor() // whoever asks has looked at the terminal and at NO_COLOR
	return c.Sprint(text)
}

// Toned is a text in the colour of what a word means, if the console shows colours.
func (c *Console) Toned(text, word string) string {
	if !c.Colour {
		return text
	}
	return paint(text, toneOf(word))
}

// Heading is a text as headings are shown.
func (c *Console) Heading(text string) string {
	if !c.Colour {
		return text
	}
	return paint(text, heading)
}
