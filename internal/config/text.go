package config

import (
	"fmt"
	"strings"

	"github.com/belfry-push/belfry/internal/strict"
)

// notText finds arguments that are not UTF-8. Kong would put U+FFFD in the place
// of what it can't read: another user, another title, another file.
func notText(args []string) (faults Faults) {
	for i, arg := range args {
		if detail := brokenText(arg); detail != "" {
			faults = append(faults, Fault{Flag: placeOf(args, i), Detail: detail})
		}
	}
	return faults
}

// brokenText says where a text is not UTF-8, "" if it is. It repeats none of it:
// it may be a secret.
func brokenText(text string) string {
	at := strict.InvalidUTF8(text)
	if at < 0 {
		return ""
	}
	return fmt.Sprintf("must be UTF-8 (byte %d is 0x%02x): set the terminal to UTF-8, or convert the text", at, text[at])
}

// placeOf names the flag that an argument is, or is the value of; else its place
// among the arguments.
func placeOf(args []string, i int) string {
	if name, _, ok := strings.Cut(args[i], "="); ok && strings.HasPrefix(name, "-") && brokenText(name) == "" {
		return name
	}
	if i > 0 && strings.HasPrefix(args[i-1], "--") && !strings.Contains(args[i-1], "=") {
		return args[i-1]
	}
	return fmt.Sprintf("argument %d", i+1)
}
