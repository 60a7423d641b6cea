package protojson

import (
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/message"
)

// targetOf returns which member of Message's target union a field is.
func targetOf(f *message.Field) Target {
	for _, k := range []Target{TargetToken, TargetFID, TargetTopic, TargetCondition} {
		if f.Name == k.String() {
			return k
		}
	}
	return TargetNone
}

// takeTarget notes the target of the message.
func (d *decoder) takeTarget(kind Target, t text) {
	if d.req.Target != TargetNone {
		d.violateAt("message", "Invalid value at 'message' (oneof), oneof field 'target' is already set. "+
			"Cannot set '"+kind.String()+"'")
		return
	}
	d.req.Target, d.req.Address = kind, t.String()
	if (kind == TargetToken || kind == TargetFID) && IsPlain(t.raw) {
		d.req.Start, d.req.End = t.start, t.start+len(t.raw)
	}
}

// finish makes the checks that need the whole request, and returns FCM's first
// objection to one that fits the schema, nil if there is none.
func (d *decoder) finish(root map[string]any) *Refusal {
	if d.req.Address == "" {
		return unacceptable(Violation{Field: "message", Description: "Recipient of the message is not set."})
	}
	limit := message.Limit
	switch d.req.Target {
	case TargetTopic:
		limit = message.TopicLimit
		if message.CheckTopic(d.req.Address) != "" {
			return unacceptable(Violation{Field: "message", Description: "Topic name contains invalid characters."})
		}
	case TargetCondition:
		limit = message.TopicLimit
		if message.CheckCondition(d.req.Address) != "" {
			return &Refusal{Kind: BadCondition}
		}
	case TargetNone, TargetToken, TargetFID:
	}
	m, _ := root["message"].(map[string]any)
	data, _ := m["data"].(map[string]any)
	d.req.BelfryID, _ = data[message.DataID].(string)
	d.req.ValidateOnly, _ = root["validate_only"].(bool)
	if len(m) == 0 {
		return nil // FCM takes a message that says nothing
	}
	if faults := message.Check(m, "message"); len(faults) > 0 {
		return unacceptable(objection(&faults[0]))
	}
	if _, n := message.Measure(m).Largest(); n > limit {
		return &Refusal{Kind: TooLarge, Limit: limit}
	}
	return nil
}

// objection puts a fault into FCM's words where they have been quoted.
func objection(f *message.Fault) Violation {
	where := strings.Split(f.Pointer, "/")[1:]
	last := where[len(where)-1]
	v := Violation{Field: strings.Join(where, ".")}
	switch {
	case f.Code == "reserved":
		v.Field = strings.Join(where[:len(where)-1], ".")
		v.Description = "Invalid data payload key: " + last
	case v.Field == "message.android.ttl":
		v.Description = "TTL must be between 0 and " + strconv.Itoa(message.MaxTTL) + " seconds."
	default:
		v.Description = "Invalid value at '" + v.Field + "', " + f.Detail
	}
	return v
}

// IsPlain reports whether a string's text can be replaced by another plain one without changing anything else in the
// JSON around it: printable ASCII without quotes and backslashes.
func IsPlain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return len(b) > 0
}
