package message

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/strict"
)

// MaxDepth is how many steps a value may be away from the root of a send
// request, whose member the message is: the limit of protocol buffer parsers
// (https://protobuf.dev/programming-guides/proto-limits/).
const MaxDepth = 100

// Fault is one thing that is wrong with a message.
type Fault struct {
	Pointer string // RFC 6901, to the value or the object that is at fault
	Code    string // one of push's fault codes
	Detail  string // what is wrong and what is allowed
}

// The codes of faults; push has the same.
const (
	codeUnknown  = "unknown"
	codeType     = "type"
	codeMissing  = "missing"
	codeValue    = "value"
	codeTooLarge = "too_large"
	codeReserved = "reserved"
	codeConflict = "conflict"
)

// maxFaults bounds an answer: after so many a message is not worth reading on.
const maxFaults = 20

// Check returns what is wrong with a decoded message that has no target, at most
// 20 faults, with pointers that begin with the steps at. Sizes are not looked
// at, see [Measure].
//
// A field that is null is not set, as in protobuf's JSON; Check removes it from
// the tree. Inside data, headers and free-form objects null stays what it is: a
// fault, or a value.
func Check(tree any, at ...string) []Fault {
	c := &checker{path: slices.Clone(at), root: len(at)}
	m, ok := tree.(map[string]any)
	if !ok {
		c.wantType("an object", tree)
		return c.faults
	}
	c.object(described, m)
	return c.faults
}

// checker walks one message and collects faults.
type checker struct {
	path   []string
	root   int // length of the path to the message
	faults []Fault
}

func (c *checker) fault(code, format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, Fault{Pointer: pointer(c.path), Code: code, Detail: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) wantType(want string, v any) {
	c.fault(codeType, "must be %s (got %s)", want, typeName(v))
}

// at runs f one step down.
func (c *checker) at(step string, f func()) {
	c.path = append(c.path, step)
	f()
	c.path = c.path[:len(c.path)-1]
}

// tooDeep reports whether nothing may stand at the present place.
func (c *checker) tooDeep() bool { return 1+len(c.path)-c.root > MaxDepth }

func pointer(path []string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, step := range path {
		b.WriteByte('/')
		b.WriteString(escape.Replace(step))
	}
	return b.String()
}

func (c *checker) object(t *Type, m map[string]any) {
	for _, name := range sortedKeys(m) {
		v := m[name]
		c.at(name, func() {
			f := t.Field(name)
			switch {
			case f == nil, f.Name != name:
				c.fault(codeUnknown, "unknown field%s", suggest(name, t))
			case v == nil:
				delete(m, name)
			case f.Target:
				c.fault(codeConflict, `belongs into "to", not into the message`)
			case f.OutputOnly:
				c.fault(codeReserved, "is set by FCM")
			case f.Repeated:
				c.list(f, v)
			default:
				c.value(f, v)
			}
		})
	}
	if t.rule != nil {
		t.rule(c, m)
	}
}

func (c *checker) list(f *Field, v any) {
	items, ok := v.([]any)
	if !ok {
		c.wantType("an array", v)
		return
	}
	for i, item := range items {
		c.at(strconv.Itoa(i), func() { c.value(f, item) })
	}
}

func (c *checker) value(f *Field, v any) {
	switch f.Kind {
	case Object, Map, Struct:
		m, ok := v.(map[string]any)
		if !ok {
			c.wantType("an object", v)
			return
		}
		c.composite(f, m)
	case Bool:
		if _, ok := v.(bool); !ok {
			c.wantType("a boolean", v)
		}
	case Int32, Float:
		n, ok := v.(json.Number)
		if !ok {
			c.wantType("a number", v)
			return
		}
		c.reject(f.checkNumber(n))
	case String, Duration, Timestamp, Enum:
		s, ok := v.(string)
		if !ok {
			c.wantType("a string", v)
			return
		}
		c.reject(f.checkText(s))
	}
}

func (c *checker) reject(why string) {
	if why != "" {
		c.fault(codeValue, "%s", why)
	}
}

func (c *checker) composite(f *Field, m map[string]any) {
	if f.Kind == Object {
		c.object(f.Of, m)
		return
	}
	if f.Kind == Struct {
		for _, name := range sortedKeys(m) {
			c.at(name, func() { c.free(m[name]) })
		}
	} else {
		for _, name := range sortedKeys(m) {
			switch m[name].(type) {
			case string:
			case nil:
				c.at(name, func() {
					c.fault(codeType, "must be a string (got null, which is none): leave the entry out, or give an empty text")
				})
			default:
				c.at(name, func() { c.wantType("a string", m[name]) })
			}
		}
	}
	if f.inside != nil {
		f.inside(c, m)
	}
}

// free checks what may be anything: google.protobuf.Value keeps numbers as
// doubles, and a parser has a limit of depth.
func (c *checker) free(v any) {
	if c.tooDeep() {
		c.fault(codeTooLarge, "is nested too deep: at most %d levels below the request", MaxDepth)
		return
	}
	switch v := v.(type) {
	case json.Number:
		if _, err := v.Float64(); err != nil {
			c.fault(codeValue, "must fit into a double, as FCM reads it (got %s)", clip(v.String()))
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			c.at(name, func() { c.free(v[name]) })
		}
	case []any:
		for i := range v {
			c.at(strconv.Itoa(i), func() { c.free(v[i]) })
		}
	}
}

func (f *Field) checkNumber(n json.Number) string {
	if f.Kind == Int32 {
		return checkCount(n)
	}
	return checkFraction(n)
}

func (f *Field) checkText(s string) string {
	switch {
	case f.Kind == Duration:
		return checkDuration(s, f.upTo)
	case f.Kind == Timestamp:
		return CheckTimestamp(s)
	case f.Kind == Enum:
		return f.checkEnum(s)
	case f.check != nil && s != "":
		return f.check(s)
	}
	return ""
}

// suggest asks whether a known field was meant, as the end of a sentence; "" if
// none is near. FCM's own JSON parser also takes lowerCamelCase, Belfry takes the
// documented snake_case only.
func suggest(name string, t *Type) string {
	known := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		known[i] = f.Name
	}
	return strict.DidYouMean(name, known)
}

// typeName is the JSON type of a decoded value, for error texts.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
