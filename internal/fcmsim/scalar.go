package fcmsim

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// accepts checks a scalar against the field's type by the JSON mapping of protocol buffers
// (https://protobuf.dev/programming-guides/json/) and returns what to complain about, empty if nothing.
func (f *field) accepts(t text, quoted bool) string {
	shown := string(t.raw)
	if quoted {
		shown = `"` + shown + `"`
	}
	switch f.kind {
	case kindString:
		if quoted {
			return ""
		}
	case kindBool:
		if s := string(t.raw); s == "true" || s == "false" {
			return ""
		}
	case kindInt32:
		if n, err := strconv.ParseFloat(string(t.raw), 64); err == nil && n == math.Trunc(n) && math.Abs(n) <= math.MaxInt32 {
			return ""
		}
	case kindFloat:
		if _, err := strconv.ParseFloat(string(t.raw), 32); err == nil {
			return ""
		}
	case kindDuration:
		if !quoted {
			return "Field '" + f.camel + "', Invalid data type for duration, value is " + shown
		}
		if _, complaint := parseDuration(t.String()); complaint != "" {
			return "Field '" + f.camel + "', " + complaint
		}
		return ""
	case kindTime:
		if _, err := time.Parse(time.RFC3339Nano, t.String()); quoted && err == nil {
			return ""
		}
		return "Field '" + f.camel + "', Invalid time format: " + shown
	case kindEnum:
		if _, err := strconv.ParseInt(string(t.raw), 10, 32); !quoted && err == nil {
			return ""
		}
		for _, name := range f.names {
			if quoted && strings.EqualFold(name, t.String()) {
				return ""
			}
		}
	case kindMessage, kindMap, kindStruct:
	}
	return shown
}

// parseDuration reads google.protobuf.Duration and returns its whole seconds, rounded down, or a complaint.
func parseDuration(s string) (seconds int64, complaint string) {
	number, ok := strings.CutSuffix(s, "s")
	if !ok {
		return 0, "Illegal duration format; duration must end with 's'"
	}
	whole, fraction, hasFraction := strings.Cut(number, ".")
	if hasFraction && (len(fraction) == 0 || len(fraction) > 9 || digits([]byte(fraction)) != len(fraction)) {
		return 0, "Invalid duration format, failed to parse nano seconds"
	}
	unsigned := strings.TrimPrefix(whole, "-")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	// The range of a Duration is ±10,000 years (google/protobuf/duration.proto).
	if err != nil || digits([]byte(unsigned)) != len(unsigned) || seconds < -315576000000 || seconds > 315576000000 {
		return 0, "Invalid duration format, failed to parse seconds"
	}
	if whole != unsigned && strings.Trim(fraction, "0") != "" {
		seconds--
	}
	return seconds, ""
}
