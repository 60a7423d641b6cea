package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/belfry-push/belfry/internal/push"
)

// patchOp is one operation of a JSON Patch (RFC 6902 §4).
type patchOp struct {
	Op    string          `json:"op"`
	Path  *string         `json:"path"`
	From  *string         `json:"from"`
	Value json.RawMessage `json:"value"` // "null" is a value, absence is nil
}

// patch is a checked JSON Patch.
type patch []patchOp

// maxPatchOps bounds a patch: a message has some forty fields.
const maxPatchOps = 100

// parsePatch checks the form of a patch: its operations, their members and the
// syntax of their pointers.
func parsePatch(data []byte) (patch, error) {
	var p patch
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("must be an RFC 6902 JSON Patch, an array of operations: %w", err)
	}
	if len(p) == 0 || len(p) > maxPatchOps {
		return nil, fmt.Errorf("must have 1..%d operations (got %d)", maxPatchOps, len(p))
	}
	for i := range p {
		if err := p[i].check(); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return p, nil
}

func (o *patchOp) check() error {
	if o.Path == nil {
		return errors.New(`"path" is missing`)
	}
	if _, err := parsePointer(*o.Path); err != nil {
		return err
	}
	switch o.Op {
	case "add", "replace", "test":
		if o.Value == nil {
			return fmt.Errorf(`%s needs a "value"`, o.Op)
		}
	case "move", "copy":
		if o.From == nil {
			return fmt.Errorf(`%s needs "from"`, o.Op)
		}
		if _, err := parsePointer(*o.From); err != nil {
			return err
		}
	case "remove":
	default:
		return fmt.Errorf(`"op" must be add, remove, replace, move, copy or test (got %q)`, clip(o.Op))
	}
	return nil
}

// apply returns the message with the patch applied, checked as a new message
// would be. The patch applies whole or not at all.
func (p patch) apply(m push.Message) (push.Message, error) {
	doc, err := decodeJSON(m)
	if err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	for i := range p {
		if doc, err = p[i].apply(doc); err != nil {
			return nil, fmt.Errorf("patch operation %d, %s %s: %w", i, p[i].Op, *p[i].Path, err)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("write the patched message: %w", err)
	}
	return push.DecodeMessage(b.Bytes(), "")
}

func (o *patchOp) apply(doc any) (any, error) {
	path, err := parsePointer(*o.Path)
	if err != nil {
		return nil, err
	}
	switch o.Op {
	case "add", "replace", "test":
		value, err := decodeJSON(o.Value)
		if err != nil {
			return nil, err
		}
		switch o.Op {
		case "add":
			return path.add(doc, value)
		case "replace":
			return path.replace(doc, value)
		}
		have, err := path.get(doc)
		if err == nil && !equalJSON(have, value) {
			err = errors.New("the value is another")
		}
		return doc, err
	case "remove":
		return path.remove(doc)
	default:
		return o.transfer(doc, path)
	}
}

// transfer moves or copies (RFC 6902 §4.4 and §4.5).
func (o *patchOp) transfer(doc any, path pointer) (any, error) {
	from, err := parsePointer(*o.From)
	if err != nil {
		return nil, err
	}
	value, err := from.get(doc)
	if err != nil {
		return nil, fmt.Errorf("from %s: %w", *o.From, err)
	}
	if o.Op == "copy" {
		if value, err = cloneJSON(value); err != nil {
			return nil, err
		}
		return path.add(doc, value)
	}
	if path.below(from) {
		return nil, errors.New("a value can't be moved into itself")
	}
	if doc, err = from.remove(doc); err != nil {
		return nil, err
	}
	return path.add(doc, value)
}

// decodeJSON reads one value; numbers keep their digits.
func decodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func cloneJSON(v any) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return decodeJSON(b)
}

// equalJSON compares as RFC 6902 §4.6 does: numbers by value.
func equalJSON(a, b any) bool {
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		if !ok {
			return false
		}
		if x == y {
			return true
		}
		m, err1 := x.Float64()
		n, err2 := y.Float64()
		return err1 == nil && err2 == nil && m == n
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equalJSON(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			if w, ok := y[k]; !ok || !equalJSON(v, w) {
				return false
			}
		}
		return true
	default:
		return reflect.DeepEqual(a, b)
	}
}

func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
