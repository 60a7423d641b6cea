package fcmsim

import (
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/message"
)

// targetOf returns which member of Message's target union a field is.
func targetOf(f *message.Field) targetKind {
	for _, k := range []targetKind{targetToken, targetFID, targetTopic, targetCondition} {
		if f.Name == k.String() {
			return k
		}
	}
	return targetNone
}

// takeTarget notes the target of the message.
func (d *decoder) takeTarget(kind targetKind, t text) {
	if d.req.target != targetNone {
		d.violateAt("message", "Invalid value at 'message' (oneof), oneof field 'target' is already set. "+
			"Cannot set '"+kind.String()+"'")
		return
	}
	d.req.target, d.req.address = kind, t.String()
	if (kind == targetToken || kind == targetFID) && isPlain(t.raw) {
		d.req.start, d.req.end = t.start, t.start+len(t.raw)
	}
}

// finish makes the checks that need the whole request, and returns FCM's first
// objection to one that fits the schema, nil if there is none.
func (d *decoder) finish(root map[string]any) *answer {
	if d.req.address == "" {
		return unacceptable(violation{Field: "message", Description: "Recipient of the message is not set."})
	}
	limit := message.Limit
	switch d.req.target {
	case targetTopic:
		limit = message.TopicLimit
		if message.CheckTopic(d.req.address) != "" {
			return unacceptable(violation{Field: "message", Description: "Topic name contains invalid characters."})
		}
	case targetCondition:
		limit = message.TopicLimit
		if message.CheckCondition(d.req.address) != "" {
			return badCondition()
		}
	case targetNone, targetToken, targetFID:
	}
	m, _ := root["message"].(map[string]any)
	data, _ := m["data"].(map[string]any)
	d.req.belfryID, _ = data[message.DataID].(string)
	d.req.validateOnly, _ = root["validate_only"].(bool)
	if len(m) == 0 {
		return nil // FCM takes a message that says nothing
	}
	if faults := message.Check(m, "message"); len(faults) > 0 {
		return unacceptable(objection(&faults[0]))
	}
	if _, n := message.Measure(m).Largest(); n > limit {
		return tooLarge(limit)
	}
	return nil
}

// objection puts a fault into FCM's words where they have been quoted.
func objection(f *message.Fault) violation {
	where := strings.Split(f.Pointer, "/")[1:]
	last := where[len(where)-1]
	v := violation{Field: strings.Join(where, ".")}
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

// isPlain reports whether a string's text can be replaced by another plain one without changing anything else in the
// JSON around it: printable ASCII without quotes and backslashes.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return len(b) > 0
}
