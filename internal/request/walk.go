package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// A walker checks a decoded JSON document against rules and collects every
// fault with its RFC 6901 pointer. It is not safe for concurrent use.
type walker struct {
	path   []string
	faults push.Faults
}

// maxFaults bounds an answer: after so many a body is not worth reading on.
const maxFaults = 20

// A rule checks the value at the walker's present path.
type rule func(w *walker, v any)

func (w *walker) fault(code, format string, args ...any) {
	if len(w.faults) < maxFaults {
		w.faults = append(w.faults, push.Fault{Pointer: w.pointer(), Code: code, Detail: fmt.Sprintf(format, args...)})
	}
}

// at runs f one step down the document.
func (w *walker) at(step string, f func()) {
	w.path = append(w.path, step)
	f()
	w.path = w.path[:len(w.path)-1]
}

func (w *walker) pointer() string {
	var b strings.Builder
	for _, step := range w.path {
		b.WriteByte('/')
		b.WriteString(pointerEscape(step))
	}
	return b.String()
}

// pointerEscape applies RFC 6901 §3.
func pointerEscape(step string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
}

// decodeTree reads exactly one JSON value that [strict.Check] takes; numbers stay
// json.Number. The fault names the byte at which reading failed.
func decodeTree(data []byte) (any, push.Faults) {
	data = strict.TrimBOM(data)
	if err := CheckJSON(data); err != nil {
		return nil, push.Faults{*err}
	}
	dec := json.NewDecoder(bytes.NewReader(data)) //nolint:forbidigo // it was checked
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, push.Faults{{Code: push.FaultSyntax, Detail: "not valid JSON"}}
	}
	return v, nil
}

// CheckJSON returns what is wrong with a text that is not one JSON value, or one
// that can be read in two ways: see [strict.Check]. nil means that encoding/json
// reads it without altering anything.
func CheckJSON(data []byte) *push.Fault {
	bad, ok := errors.AsType[*strict.Error](strict.Check(data))
	switch {
	case !ok:
		return nil
	case bad.Twice:
		return &push.Fault{Pointer: bad.Pointer, Code: push.FaultConflict, Detail: bad.Detail}
	}
	return &push.Fault{Pointer: bad.Pointer, Code: push.FaultSyntax, Detail: bad.Detail}
}

// readTree fills dst from a checked tree. What was checked is what is read: the
// body itself may have what the rules took out, and names that encoding/json
// takes for another's, because it compares without case.
func readTree(tree, dst any) error {
	b, err := encodeTree(tree)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, dst); err != nil { //nolint:forbidigo // it was checked, and written anew
		return fmt.Errorf("read a checked body: %w", err) // the rules let pass what the type does not hold: our fault
	}
	return nil
}

// encodeTree writes a checked tree as compact JSON.
func encodeTree(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode a checked body: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
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

func (w *walker) wantType(want string, v any) {
	w.fault(push.FaultType, "must be %s (got %s)", want, typeName(v))
}

// object allows just the named fields. null means that a field is not set, as in
// protocol buffers' JSON (https://protobuf.dev/programming-guides/json/): it is
// taken out of the tree.
func object(fields map[string]rule) rule {
	return func(w *walker, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			w.wantType("an object", v)
			return
		}
		for _, name := range sortedKeys(m) {
			r, known := fields[name]
			if known && m[name] == nil {
				delete(m, name)
				continue
			}
			w.at(name, func() {
				if !known {
					w.fault(push.FaultUnknown, "unknown field%s", suggest(name, sortedKeys(fields)))
					return
				}
				r(w, m[name])
			})
		}
	}
}

// suggest asks whether a known name was meant, as the end of a sentence; "" if
// none is near. FCM's own JSON parser also takes lowerCamelCase, this one takes
// the documented snake_case only.
func suggest(name string, known []string) string {
	return strict.DidYouMean(name, known)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func text(w *walker, v any) {
	if _, ok := v.(string); !ok {
		w.wantType("a string", v)
	}
}

func boolean(w *walker, v any) {
	if _, ok := v.(bool); !ok {
		w.wantType("a boolean", v)
	}
}

func integer(low, high int64) rule {
	return func(w *walker, v any) {
		n, ok := v.(json.Number)
		if !ok {
			w.wantType("an integer", v)
			return
		}
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil || i < low || i > high {
			w.fault(push.FaultValue, "must be an integer in %d..%d (got %s)", low, high, push.Clip(n.String()))
		}
	}
}

func oneOf(allowed ...string) rule {
	return func(w *walker, v any) {
		s, ok := v.(string)
		if !ok {
			w.wantType("a string", v)
			return
		}
		if !slices.Contains(allowed, s) {
			w.fault(push.FaultValue, "must be one of %s (got %q)%s", strings.Join(allowed, ", "), push.Clip(s), suggest(s, allowed))
		}
	}
}

func list(each rule) rule {
	return func(w *walker, v any) {
		items, ok := v.([]any)
		if !ok {
			w.wantType("an array", v)
			return
		}
		if len(items) > push.MaxInlineTargets {
			w.fault(push.FaultTooLarge, "must have at most %d items (got %d)", push.MaxInlineTargets, len(items))
			return
		}
		for i, item := range items {
			w.at(strconv.Itoa(i), func() { each(w, item) })
		}
	}
}

// stringMap takes an object whose values are strings, as FCM's map<string,string>.
func stringMap(checkKey func(w *walker, key string)) rule {
	return func(w *walker, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			w.wantType("an object", v)
			return
		}
		for _, k := range sortedKeys(m) {
			w.at(k, func() {
				if checkKey != nil {
					checkKey(w, k)
				}
				if m[k] == nil {
					w.fault(push.FaultType, "must be a string (got null, which is none): leave the entry out, or give an empty text")
					return
				}
				text(w, m[k])
			})
		}
	}
}
