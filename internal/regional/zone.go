package regional

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

// Zone returns the time zone that a client means: an IANA name, in its present
// spelling ("Asia/Kolkata" for Asia/Calcutta and asia/kolkata), "UTC", or the
// distance from it as ±hh:mm, which is what RFC 9557 has for zones without a name.
//
// It reads names of the IANA database in any case, with spaces for underscores;
// names of Windows; offsets as in GMT+05:30 (java.util.TimeZone), UTC+2, +0530;
// and zones as Java and Swift print them. A plus is ahead of UTC, except in Etc/GMT+5 and
// the like, whose sign is the other way round. ok is false, and the zone empty, for
// everything else.
func Zone(reported string) (zone string, ok bool) {
	if len(reported) > maxReported {
		return "", false
	}
	s := strings.TrimSpace(reported)
	if zone, ok = zoneNamed(s); ok {
		return zone, true
	}
	if _, id, found := strings.Cut(s, `ID="`); found || cutID(s, &id) { // ZoneInfo[id="Asia/Kolkata",offset=…
		s, _, _ = strings.Cut(id, `"`)
	} else if _, id, found := strings.Cut(s, "["); found { // +02:00[Europe/Berlin], RFC 9557
		s = strings.TrimPrefix(strings.TrimSuffix(id, "]"), "!")
	} else if id, _, found := strings.Cut(s, " ("); found { // Europe/Berlin (current)
		s = id
	}
	if zone, ok = zoneNamed(s); ok {
		return zone, true
	}
	return offset(s)
}

func cutID(s string, id *string) bool {
	_, rest, found := strings.Cut(s, `id="`)
	*id = rest
	return found
}

// zoneNamed finds a name.
func zoneNamed(s string) (string, bool) {
	zone, ok := names()[strings.ReplaceAll(strings.ToLower(s), " ", "_")]
	return zone, ok
}

// offset reads a fixed distance from UTC.
func offset(s string) (string, bool) {
	for _, prefix := range []string{"utc", "gmt"} {
		if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
			s = strings.TrimSpace(s[len(prefix):])
			break
		}
	}
	sign := "+"
	switch {
	case s == "Z" || s == "z":
		return utc, true
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	case strings.HasPrefix(s, "-"), strings.HasPrefix(s, "−"): // U+2212, which ISO 8601 prefers
		sign, s = "-", strings.TrimPrefix(strings.TrimPrefix(s, "-"), "−")
	default:
		return "", false
	}
	hours, minutes, ok := clock(s)
	// Kiribati is 14 hours ahead; 12 behind there are ships and an atoll.
	const ahead, behind = 14 * 60, 12 * 60
	total := hours*60 + minutes
	switch {
	case !ok || sign == "+" && total > ahead || sign == "-" && total > behind:
		return "", false
	case total == 0:
		return utc, true
	}
	return fmt.Sprintf("%s%02d:%02d", sign, hours, minutes), true
}

// clock reads 5, 05, 530, 0530, 5:30 and 05:30, and seconds if they are none.
func clock(s string) (hours, minutes int, ok bool) {
	h, m, colon := strings.Cut(s, ":")
	if colon {
		m = strings.TrimSuffix(m, ":00")
	} else if len(h) > 2 {
		h, m = h[:len(h)-2], h[len(h)-2:]
	} else {
		m = "00"
	}
	hours, one := digits(h, 1)
	minutes, two := digits(m, 2)
	return hours, minutes, one && two && minutes < 60
}

// digits reads a number of least to two digits.
func digits(s string, least int) (n int, ok bool) {
	if len(s) < least || len(s) > 2 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

const utc = "UTC"

// zonesText has a line per zone: its name and, if it is an alias, a tab and the zone that it
// stands for. TestZonesText writes it and names its source.
//
//go:embed zones.txt
var zonesText string

// names maps every known name, in lower case and with underscores, to its zone.
//
//nolint:gochecknoglobals // read once from what is built in
var names = sync.OnceValue(func() map[string]string {
	known := make(map[string]string, 800)
	for line := range strings.Lines(zonesText) {
		name, zone, other := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !other {
			zone = name
		}
		known[strings.ReplaceAll(strings.ToLower(name), " ", "_")] = zone
	}
	return known
})
