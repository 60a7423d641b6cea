package config

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Flag   string // with its dashes: --listen
	Env    string // the variable that sets the same; empty if there is none
	Detail string // what is allowed, and what to do about it
	Value  string // what was given; empty when it was nothing, or a secret
}

// String returns the fault as people read it:
// --max-attempts (BELFRY_MAX_ATTEMPTS): must be 1 to 100 (got "0").
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Flag)
	if f.Env != "" {
		b.WriteString(" (" + f.Env + ")")
	}
	b.WriteString(": " + f.Detail)
	if f.Value != "" {
		fmt.Fprintf(&b, " (got %q)", f.Value)
	}
	return b.String()
}

// Faults are all things wrong with one configuration; as an error they print
// one a line.
//
//nolint:errname // the plural of Fault reads better than FaultsError
type Faults []Fault

// Error implements error.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns nil when there are no faults, so that a typed nil never becomes
// a non-nil error.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// add notes a fault of a setting whose variable is named after its flag.
func (f *Faults) add(flag, value, format string, args ...any) {
	*f = append(*f, Fault{
		Flag: "--" + flag, Env: envOf(flag), Value: value, Detail: fmt.Sprintf(format, args...),
	})
}

// has reports whether the flag has a fault already: one is enough.
func (f Faults) has(flag string) bool {
	for _, x := range f {
		if x.Flag == flag {
			return true
		}
	}
	return false
}

// envOf returns the variable of a flag: fcm-endpoint is BELFRY_FCM_ENDPOINT.
func envOf(flag string) string {
	return "BELFRY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
