package fcmsim

import (
	"fmt"
	"strconv"
)

// targetKind is the member of Message's target union that was set.
type targetKind uint8

const (
	targetNone targetKind = iota
	targetToken
	targetFID
	targetTopic
	targetCondition
)

func (k targetKind) String() string {
	switch k {
	case targetNone:
		return ""
	case targetToken:
		return "token"
	case targetFID:
		return "fid"
	case targetTopic:
		return "topic"
	case targetCondition:
		return "condition"
	}
	return "unknown"
}

// request is what the simulator needs to know of a valid send request.
type request struct {
	validateOnly bool
	target       targetKind
	address      string // the target's value
	start, end   int    // where the address stands in the body; equal if it cannot be cut out there
	belfryID     string // message.data.belfry_id
}

// decoder reads one request against the schema, once, and collects everything that is wrong with it.
type decoder struct {
	scanner
	at         path // of the value at hand
	req        request
	sizes      [slotCount]int
	seen       [slotCount]bool
	violations []violation // does not fit the schema
	refusal    *answer     // fits, but FCM will not have it: the first reason found
}

// decode returns the request, or the answer that refuses it.
func decode(schema *message, body []byte) (request, *answer) {
	var steps [8]step // deep enough for the whole schema
	d := decoder{scanner: scanner{buf: body}, at: steps[:0]}
	if err := d.root(schema); err != nil {
		return request{}, unparsable([]violation{{Description: err.Error()}})
	}
	if len(d.violations) > 0 {
		return request{}, unparsable(d.violations)
	}
	if d.finish(); d.refusal != nil {
		return request{}, d.refusal
	}
	return d.req, nil
}

func (d *decoder) root(schema *message) error {
	if d.peek() == 0 && d.pos == len(d.buf) {
		return nil // no body is an empty request
	}
	if d.peek() != '{' {
		if _, err := d.skip(0); err != nil {
			return err
		}
		d.violate(`Invalid JSON payload received. Unknown name "": Root element must be a message.`)
	} else if err := d.fields(schema); err != nil {
		return err
	}
	if d.peek(); d.pos < len(d.buf) {
		return d.fail("Parsing terminated before end of input.")
	}
	return nil
}

// enter makes a step into a value, leave returns from it.
func (d *decoder) enter(s step) { d.at = append(d.at, s) }
func (d *decoder) leave()       { d.at = d.at[:len(d.at)-1] }

func (d *decoder) fields(m *message) error {
	return d.object(func(key text) error {
		name := key.raw
		if key.escaped {
			name = []byte(key.String())
		}
		f := m.lookup(name)
		if f == nil {
			d.unknown(string(name))
			_, err := d.skip(len(d.at))
			return err
		}
		return d.field(f)
	})
}

func (d *decoder) field(f *field) error {
	first := d.peek()
	if first == '[' && !f.repeated && f.kind != kindMap {
		d.violate(fmt.Sprintf("Invalid JSON payload received. Unknown name %q%s: "+
			"Proto field is not repeating, cannot start list.", f.name, d.at.suffix()))
		_, err := d.skip(len(d.at))
		return err
	}
	d.enter(step{name: f.name})
	defer d.leave()
	switch {
	case first == 'n': // null is the same as leaving the field out
		_, err := d.literal()
		return err
	case first == '[' && f.repeated:
		d.seen[f.slot] = true
		return d.array(func(i int) error {
			d.enter(step{index: i})
			defer d.leave()
			return d.scalar(f)
		})
	case first == '[':
		d.violate(fmt.Sprintf("Invalid value at '%s' (map), Cannot bind a list to map for field '%s'.", d.at, f.name))
		_, err := d.skip(len(d.at))
		return err
	case f.repeated:
		return d.mistyped(f)
	}
	d.seen[f.slot] = true
	return d.value(f)
}

func (d *decoder) value(f *field) error {
	switch f.kind {
	case kindMessage:
		if d.peek() != '{' {
			return d.mistyped(f)
		}
		return d.fields(f.message)
	case kindMap:
		if d.peek() != '{' {
			return d.mistyped(f)
		}
		return d.stringMap(f)
	case kindStruct:
		if d.peek() != '{' {
			return d.mistyped(f)
		}
		return d.structure(f)
	case kindString, kindBool, kindInt32, kindFloat, kindDuration, kindTime, kindEnum:
	}
	return d.scalar(f)
}

// stringMap reads a map<string, string>. Entries are numbered in error messages, as the wire format repeats them.
func (d *decoder) stringMap(f *field) error {
	i := -1
	return d.object(func(key text) error {
		i++
		if d.peek() != '"' {
			d.enter(step{index: i})
			d.enter(step{name: "value"})
			defer d.leave()
			defer d.leave()
			return d.scalar(&field{name: "value", kind: kindString})
		}
		t, err := d.text()
		if err != nil {
			return err
		}
		d.sizes[f.slot] += key.size() + t.size()
		if f.entry != nil {
			f.entry(d, key, t)
		}
		return nil
	})
}

// structure reads a google.protobuf.Struct, which may hold anything; its size is that of its JSON.
func (d *decoder) structure(f *field) error {
	members := 0
	err := d.object(func(key text) error {
		if f.member != nil {
			f.member(d, key, d.peek())
		}
		n, err := d.skip(len(d.at) + 1)
		members++
		d.sizes[f.slot] += len(key.raw) + len(`"":`) + n
		return err
	})
	d.sizes[f.slot] += len("{}") + max(0, members-1)
	return err
}

func (d *decoder) scalar(f *field) error {
	var t text
	var err error
	quoted := false
	switch d.peek() {
	case '{':
		return d.objectForScalar(f)
	case '[':
		return d.mistyped(f)
	case '"':
		quoted = true
		t, err = d.text()
	default:
		t.raw, err = d.literal()
	}
	if err != nil {
		return err
	}
	if complaint := f.accepts(t, quoted); complaint != "" {
		d.violate(fmt.Sprintf("Invalid value at '%s' (%s), %s", d.at, f.typeName(), complaint))
		return nil
	}
	if quoted {
		d.sizes[f.slot] += len(f.name) + t.size()
	}
	if f.check != nil {
		f.check(d, t)
	}
	return nil
}

// objectForScalar refuses every name in an object where a plain value belongs.
func (d *decoder) objectForScalar(f *field) error {
	empty := true
	err := d.object(func(key text) error {
		empty = false
		d.unknown(key.String())
		_, err := d.skip(len(d.at) + 1)
		return err
	})
	if err == nil && empty {
		d.violate(fmt.Sprintf("Invalid value at '%s' (%s), {}", d.at, f.typeName()))
	}
	return err
}

// mistyped consumes a value of the wrong type and says so.
func (d *decoder) mistyped(f *field) error {
	d.peek()
	start := d.pos
	if _, err := d.skip(len(d.at)); err != nil {
		return err
	}
	d.violate(fmt.Sprintf("Invalid value at '%s' (%s), %s", d.at, f.typeName(), d.buf[start:d.pos]))
	return nil
}

func (d *decoder) unknown(name string) {
	d.violate(fmt.Sprintf("Invalid JSON payload received. Unknown name %s%s: Cannot find field.",
		strconv.Quote(name), d.at.suffix()))
}

// maxViolations keeps the answer to a thoroughly wrong request readable.
const maxViolations = 20

func (d *decoder) violate(description string) { d.violateAt(d.at.String(), description) }

func (d *decoder) violateAt(where, description string) {
	if len(d.violations) < maxViolations {
		d.violations = append(d.violations, violation{Field: where, Description: description})
	}
}

// refuse notes FCM's first objection to a request that fits the schema.
func (d *decoder) refuse(because *answer) {
	if d.refusal == nil {
		d.refusal = because
	}
}
