package request

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/belfry-push/belfry/internal/push"
)

// DecodeJSON reads a text from outside into a pointer to a struct, strictly:
// exactly one JSON object (see [CheckJSON]), names spelt as they are and none
// that the struct does not have, values of its fields' types; null is a field
// that is not set. All faults come back at once as [Faults], in the words of JSON
// and not of Go.
func DecodeJSON(body []byte, into any) error { return decodeTyped(body, into, refuseUnknown) }

// DecodeKnown is DecodeJSON for what a newer version may have written: names that
// the struct does not have are passed over.
func DecodeKnown(body []byte, into any) error { return decodeTyped(body, into, dropUnknown) }

func decodeTyped(body []byte, into any, extra unknown) error {
	tree, faults := decodeTree(body)
	if faults != nil {
		return faults
	}
	w := &walker{}
	ruleFor(reflect.TypeOf(into).Elem(), extra)(w, tree)
	if len(w.faults) > 0 {
		return w.faults
	}
	return readTree(tree, into)
}

// unknown says what becomes of names that nobody knows.
type unknown uint8

const (
	refuseUnknown unknown = iota
	dropUnknown
)

// ruleFor is typed, once for each type.
func ruleFor(t reflect.Type, extra unknown) rule {
	type key struct {
		t     reflect.Type
		extra unknown
	}
	known, ok := typedRules.Load(key{t, extra})
	if !ok {
		known, _ = typedRules.LoadOrStore(key{t, extra}, typed(t, extra))
	}
	r, _ := known.(rule)
	return r
}

//nolint:gochecknoglobals // a cache of what follows from the types alone
var typedRules sync.Map

// typed returns the rule that lets pass what encoding/json reads into a type.
func typed(t reflect.Type, extra unknown) rule {
	switch {
	case t.Kind() == reflect.Pointer:
		return typed(t.Elem(), extra)
	case t == reflect.TypeFor[time.Time]():
		return instant
	case t == reflect.TypeFor[[]byte]():
		return base64Text
	case reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		return func(*walker, any) {} // RawMessage and its like: anything
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return parsed(t)
	}
	switch t.Kind() { //nolint:exhaustive // no body has others
	case reflect.Struct:
		fields := map[string]rule{}
		fieldsOf(t, extra, fields)
		return func(w *walker, v any) {
			if m, ok := v.(map[string]any); ok && extra == dropUnknown {
				maps.DeleteFunc(m, func(name string, _ any) bool { return fields[name] == nil })
			}
			object(fields)(w, v)
		}
	case reflect.Slice:
		return list(typed(t.Elem(), extra))
	case reflect.Map:
		return entries(typed(t.Elem(), extra))
	case reflect.String:
		return text
	case reflect.Bool:
		return boolean
	case reflect.Float64:
		return number
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		most := int64(1)<<(t.Bits()-1) - 1
		return integer(-most-1, most)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return integer(0, int64(1)<<t.Bits()-1)
	default:
		panic("push: no rule for fields of type " + t.String()) // found by the first test that reads the type
	}
}

// fieldsOf collects the rules of a struct's fields and of those that it embeds.
func fieldsOf(t reflect.Type, extra unknown, into map[string]rule) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case name == "" && f.Anonymous:
			fieldsOf(f.Type, extra, into)
		default:
			into[name] = typed(f.Type, extra)
		}
	}
}

// entries takes an object with any names.
func entries(each rule) rule {
	return func(w *walker, v any) {
		m, ok := v.(map[string]any)
		if !ok {
			w.wantType("an object", v)
			return
		}
		for _, name := range sortedKeys(m) {
			w.at(name, func() { each(w, m[name]) })
		}
	}
}

// parsed takes a text that a type reads itself.
func parsed(t reflect.Type) rule {
	return func(w *walker, v any) {
		s, ok := v.(string)
		if !ok {
			w.wantType("a string", v)
			return
		}
		into, ok := reflect.TypeAssert[encoding.TextUnmarshaler](reflect.New(t))
		if !ok {
			return
		}
		if err := into.UnmarshalText([]byte(s)); err != nil {
			w.fault(push.FaultValue, "%s", err)
		}
	}
}

func number(w *walker, v any) {
	n, ok := v.(json.Number)
	if !ok {
		w.wantType("a number", v)
		return
	}
	if _, err := n.Float64(); err != nil {
		w.fault(push.FaultValue, "must be a number that a computer has (got %s)", push.Clip(n.String()))
	}
}

func base64Text(w *walker, v any) {
	s, ok := v.(string)
	if !ok {
		w.wantType("a string", v)
		return
	}
	if _, err := base64.StdEncoding.DecodeString(s); err != nil {
		w.fault(push.FaultValue, "must be base64")
	}
}
