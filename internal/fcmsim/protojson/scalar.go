package protojson

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/message"
)

// accepts checks a scalar against a field's type by the JSON mapping of protocol buffers
// (https://protobuf.dev/programming-guides/json/) and returns what to complain about, empty if nothing.
func accepts(f *message.Field, t text, quoted bool) string {
	shown := string(t.raw)
	if quoted {
		shown = `"` + shown + `"`
	}
	switch f.Kind {
	case message.String:
		if quoted {
			return ""
		}
	case message.Bool:
		if s := string(t.raw); s == "true" || s == "false" {
			return ""
		}
	case message.Int32:
		if n, err := strconv.ParseFloat(string(t.raw), 64); err == nil && n == math.Trunc(n) && math.Abs(n) <= math.MaxInt32 {
			return ""
		}
	case message.Float:
		if _, err := strconv.ParseFloat(string(t.raw), 32); err == nil {
			return ""
		}
	case message.Duration:
		if !quoted {
			return "Field '" + f.Camel + "', Invalid data type for duration, value is " + shown
		}
		if _, _, complaint := message.ParseDuration(t.String()); complaint != "" {
			return "Field '" + f.Camel + "', " + complaint
		}
		return ""
	case message.Timestamp:
		if quoted && message.CheckTimestamp(t.String()) == "" {
			return ""
		}
		return "Field '" + f.Camel + "', Invalid time format: " + shown
	case message.Enum:
		if _, err := strconv.ParseInt(string(t.raw), 10, 32); !quoted && err == nil {
			return ""
		}
		for _, name := range f.Names {
			if quoted && strings.EqualFold(name, t.String()) {
				return ""
			}
		}
	case message.Object, message.Map, message.Struct:
	}
	return shown
}

// canonical returns a scalar that the field accepts as the description has it. An enum's number that has no name is
// no value: FCM takes what it does not know for unspecified.
func canonical(f *message.Field, t text, quoted bool) any {
	switch f.Kind {
	case message.Bool:
		return string(t.raw) == "true"
	case message.Int32: // also as 1e2 or 100.0
		if n, err := strconv.ParseFloat(string(t.raw), 64); err == nil {
			return json.Number(strconv.FormatInt(int64(n), 10))
		}
	case message.Float:
		return json.Number(t.String())
	case message.Enum:
		if quoted {
			return strings.ToUpper(t.String())
		}
		first := 0 // the number of the first name
		if !strings.HasSuffix(f.Names[0], "_UNSPECIFIED") {
			first = 1
		}
		if n, err := strconv.Atoi(string(t.raw)); err == nil && n >= first && n-first < len(f.Names) {
			return f.Names[n-first]
		}
		return nil
	case message.String, message.Duration, message.Timestamp, message.Object, message.Map, message.Struct:
	}
	return t.String()
}
