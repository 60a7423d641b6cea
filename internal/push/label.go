package push

import (
	"fmt"
	"strings"
)

// maxLabelBytes is how long the name of a label may be, and its value.
const maxLabelBytes = 128

// Label asks for a label of notifications: with one value, or with any.
type Label struct {
	Name     string
	Value    string // if HasValue; otherwise any will do
	HasValue bool
}

// ParseLabel reads name=value, or name for any value. The name ends at the first =. A name that is empty is for the
// caller to refuse.
func ParseLabel(text string) (l Label) {
	l.Name, l.Value, l.HasValue = strings.Cut(text, "=")
	return l
}

// In reports whether a notification with these labels has it.
func (l *Label) In(labels map[string]string) bool {
	v, ok := labels[l.Name]
	return ok && (!l.HasValue || v == l.Value)
}

// CheckLabel says why no notification can have a label of that name and value, as a fault's code and detail; the code is
// "" if one can.
func CheckLabel(name, value string) (code, detail string) {
	if name == "" || len(name) > maxLabelBytes || len(value) > maxLabelBytes {
		return FaultTooLarge, fmt.Sprintf("label names and values must have at most %d bytes, and a name at least 1", maxLabelBytes)
	}
	if at := strings.IndexByte(name+value, 0); at >= 0 {
		return FaultValue, fmt.Sprintf("must not have the character U+0000 (byte %d)", at)
	}
	return "", ""
}
