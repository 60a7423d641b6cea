package push

import (
	"fmt"

	"github.com/belfry-push/belfry/internal/regional"
)

// Normalize brings locale and time zone, which are as a client reported them,
// to the form that is stored: see [regional.Locale] and [regional.Zone]. What
// means nothing is taken out, which is no reason to lose a device, and comes back
// as a warning.
func (d *Device) Normalize() Faults {
	var warnings Faults
	normalize(&d.Locale, regional.Locale, func(f Fault) { warnings = append(warnings, f) }, "/locale",
		`a BCP 47 language tag such as "de" or "pt-BR"`)
	normalize(&d.Timezone, regional.Zone, func(f Fault) { warnings = append(warnings, f) }, "/timezone",
		`an IANA name such as "Europe/Berlin" or an offset such as "+05:30"; abbreviations stand for several zones`)
	return warnings
}

// Normalize does for a recipient's locale what [Device.Normalize] does; nil if
// there is nothing to warn of.
func (r *Recipient) Normalize() *Fault {
	var warning *Fault
	normalize(&r.Locale, regional.Locale, func(f Fault) { warning = &f }, "/locale", `a BCP 47 language tag such as "de" or "pt-BR"`)
	return warning
}

func normalize(field *string, read func(string) (string, bool), warn func(Fault), pointer, want string) {
	reported := *field
	if reported == "" {
		return
	}
	value, known := read(reported)
	if *field = value; !known {
		detail := fmt.Sprintf("is not understood and left out: expected %s (got %q)", want, Clip(reported))
		warn(Fault{Pointer: pointer, Code: WarnIgnored, Detail: detail})
	}
}
