package config

import (
	"fmt"
	"io"
)

// Secret is a setting that must not be seen: it prints as [redacted] through
// every fmt verb and encoder, and help never shows it. [Secret.Reveal] is the
// only way out.
type Secret string

const redacted = "[redacted]"

// Reveal returns the secret itself, for the one place that compares or sends it.
func (s Secret) Reveal() string { return string(s) }

// IsZero reports whether no secret was given.
func (s Secret) IsZero() bool { return s == "" }

// String returns [redacted], or nothing if there is nothing to hide.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format implements [fmt.Formatter], so that %q, %x and %#v redact as well.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements [encoding.TextMarshaler] for JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
