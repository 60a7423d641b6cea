package protojson

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/belfry-push/belfry/internal/message"
)

// Target is the member of Message's target union that was set.
type Target uint8

// The targets.
const (
	TargetNone Target = iota
	TargetToken
	TargetFID
	TargetTopic
	TargetCondition
)

// String returns the member's name, empty for none.
func (t Target) String() string {
	switch t {
	case TargetNone:
		return ""
	case TargetToken:
		return "token"
	case TargetFID:
		return "fid"
	case TargetTopic:
		return "topic"
	case TargetCondition:
		return "condition"
	}
	return "unknown"
}

// Request is what the simulator needs to know of a valid send request.
type Request struct {
	ValidateOnly bool
	Target       Target
	Address      string // the target's value
	Start, End   int    // where the address stands in the body; equal if it cannot be cut out there
	BelfryID     string // message.data.belfry_id
}

// decoder reads one request against the schema, once, and collects everything that is wrong with it. What fits it
// returns as a tree in the description's terms: names in snake_case, enums by name, numbers as json.Number, and
// nothing for null.
type decoder struct {
	scanner
	at         path // of the value at hand
	req        Request
	violations []Violation // does not fit the schema
}

// Decode reads the body of a request of a type, see [Schema], or says why it is refused. It does not keep body.
func Decode(schema *message.Type, body []byte) (Request, *Refusal) {
	var steps [8]step // deep enough for the whole schema
	d := decoder{scanner: scanner{buf: body}, at: steps[:0]}
	root, err := d.root(schema)
	if err != nil {
		return Request{}, &Refusal{Kind: Unparsable, Violations: []Violation{{Description: err.Error()}}}
	}
	if len(d.violations) > 0 {
		return Request{}, &Refusal{Kind: Unparsable, Violations: d.violations}
	}
	if refusal := d.finish(root); refusal != nil {
		return Request{}, refusal
	}
	return d.req, nil
}

func (d *decoder) root(schema *message.Type) (root map[string]any, err error) {
	if d.peek() == 0 && d.pos == len(d.buf) {
		return nil, nil // no body is an empty request
	}
	if d.peek() != '{' {
		if err := d.skip(0); err != nil {
			return nil, err
		}
		d.violate(`Invalid JSON payload received. Unknown name "": Root element must be a message.`)
	} else if root, err = d.fields(schema); err != nil {
		return nil, err
	}
	if d.peek(); d.pos < len(d.buf) {
		return nil, d.fail("Parsing terminated before end of input.")
	}
	return root, nil
}

// enter makes a step into a value, leave returns from it.
func (d *decoder) enter(s step) { d.at = append(d.at, s) }
func (d *decoder) leave()       { d.at = d.at[:len(d.at)-1] }

func (d *decoder) fields(t *message.Type) (map[string]any, error) {
	tree := map[string]any{}
	err := d.object(func(key text) error {
		name := key.String()
		f := t.Field(name)
		if f == nil {
			d.unknown(name)
			return d.skip(len(d.at))
		}
		v, err := d.field(f)
		if v != nil && !f.Target && !f.OutputOnly {
			tree[f.Name] = v
		}
		return err
	})
	return tree, err
}

// field reads the value of a field, nil if it is not set.
func (d *decoder) field(f *message.Field) (any, error) {
	first := d.peek()
	if first == '[' && !f.Repeated && f.Kind != message.Map {
		d.violate(fmt.Sprintf("Invalid JSON payload received. Unknown name %q%s: "+
			"Proto field is not repeating, cannot start list.", f.Name, d.at.suffix()))
		return nil, d.skip(len(d.at))
	}
	d.enter(step{name: f.Name})
	defer d.leave()
	switch {
	case first == 'n': // null is the same as leaving the field out
		_, err := d.literal()
		return nil, err
	case first == '[' && f.Repeated:
		items := []any{}
		err := d.array(func(i int) error {
			d.enter(step{index: i})
			defer d.leave()
			v, err := d.scalar(f)
			items = append(items, v)
			return err
		})
		return items, err
	case first == '[':
		d.violate(fmt.Sprintf("Invalid value at '%s' (map), Cannot bind a list to map for field '%s'.", d.at, f.Name))
		return nil, d.skip(len(d.at))
	case f.Repeated:
		return nil, d.mistyped(f)
	}
	return d.value(f)
}

func (d *decoder) value(f *message.Field) (any, error) {
	isObject := d.peek() == '{'
	switch f.Kind {
	case message.Object:
		if isObject {
			return d.fields(f.Of)
		}
	case message.Map:
		if isObject {
			return d.stringMap()
		}
	case message.Struct:
		if isObject {
			return d.free(len(d.at))
		}
	case message.String, message.Bool, message.Int32, message.Float, message.Duration, message.Timestamp, message.Enum:
		return d.scalar(f)
	}
	return nil, d.mistyped(f)
}

// stringMap reads a map<string, string>. Entries are numbered in error messages, as the wire format repeats them.
func (d *decoder) stringMap() (map[string]any, error) {
	tree, i := map[string]any{}, -1
	err := d.object(func(key text) error {
		i++
		if d.peek() != '"' {
			d.enter(step{index: i})
			d.enter(step{name: "value"})
			defer d.leave()
			defer d.leave()
			_, err := d.scalar(&message.Field{Name: "value", Kind: message.String})
			return err
		}
		t, err := d.text()
		if err == nil {
			tree[key.String()] = t.String()
		}
		return err
	})
	return tree, err
}

// free reads a value of a google.protobuf.Struct, which may be anything.
func (d *decoder) free(depth int) (any, error) {
	if depth > message.MaxDepth {
		return nil, d.tooDeep()
	}
	switch d.peek() {
	case '{':
		tree := map[string]any{}
		err := d.object(func(key text) error {
			v, err := d.free(depth + 1)
			tree[key.String()] = v
			return err
		})
		return tree, err
	case '[':
		items := []any{}
		err := d.array(func(int) error {
			v, err := d.free(depth + 1)
			items = append(items, v)
			return err
		})
		return items, err
	case '"':
		t, err := d.text()
		return t.String(), err
	}
	word, err := d.literal()
	switch string(word) {
	case "true", "false":
		return word[0] == 't', err
	case "null", "":
		return nil, err
	}
	return json.Number(word), err
}

func (d *decoder) scalar(f *message.Field) (any, error) {
	var t text
	var err error
	quoted := false
	switch d.peek() {
	case '{':
		return nil, d.objectForScalar(f)
	case '[':
		return nil, d.mistyped(f)
	case '"':
		quoted = true
		t, err = d.text()
	default:
		t.raw, err = d.literal()
	}
	if err != nil {
		return nil, err
	}
	if complaint := accepts(f, t, quoted); complaint != "" {
		d.violate(fmt.Sprintf("Invalid value at '%s' (%s), %s", d.at, typeName(f), complaint))
		return nil, nil
	}
	if f.Target {
		d.takeTarget(targetOf(f), t)
	}
	return canonical(f, t, quoted), nil
}

// objectForScalar refuses every name in an object where a plain value belongs.
func (d *decoder) objectForScalar(f *message.Field) error {
	empty := true
	err := d.object(func(key text) error {
		empty = false
		d.unknown(key.String())
		return d.skip(len(d.at) + 1)
	})
	if err == nil && empty {
		d.violate(fmt.Sprintf("Invalid value at '%s' (%s), {}", d.at, typeName(f)))
	}
	return err
}

// mistyped consumes a value of the wrong type and says so.
func (d *decoder) mistyped(f *message.Field) error {
	d.peek()
	start := d.pos
	if err := d.skip(len(d.at)); err != nil {
		return err
	}
	d.violate(fmt.Sprintf("Invalid value at '%s' (%s), %s", d.at, typeName(f), d.buf[start:d.pos]))
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
		d.violations = append(d.violations, Violation{Field: where, Description: description})
	}
}
