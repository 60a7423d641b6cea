package replay

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// pointer is a parsed JSON pointer (RFC 6901): the steps from the root.
type pointer []string

var (
	errNoValue = errors.New("there is no such value")
	errRoot    = errors.New("the whole message can't be removed")
)

func parsePointer(s string) (pointer, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, fmt.Errorf("pointer %q: must be empty or begin with a slash", clip(s))
	}
	steps := strings.Split(s[1:], "/")
	for i, step := range steps {
		for at := strings.IndexByte(step, '~'); at >= 0; {
			if at+1 >= len(step) || step[at+1] != '0' && step[at+1] != '1' {
				return nil, fmt.Errorf("pointer %q: ~ must be written ~0, and / within a name ~1", clip(s))
			}
			next := strings.IndexByte(step[at+2:], '~')
			if next < 0 {
				break
			}
			at += 2 + next
		}
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
	}
	return steps, nil
}

// below tells whether p is inside what other names.
func (p pointer) below(other pointer) bool {
	return len(p) > len(other) && slices.Equal(p[:len(other)], other)
}

// get returns the value.
func (p pointer) get(doc any) (any, error) {
	for _, step := range p {
		switch at := doc.(type) {
		case map[string]any:
			v, ok := at[step]
			if !ok {
				return nil, errNoValue
			}
			doc = v
		case []any:
			i, err := index(step, len(at)-1)
			if err != nil {
				return nil, err
			}
			doc = at[i]
		default:
			return nil, errNoValue
		}
	}
	return doc, nil
}

// change rebuilds the path to the parent of what p names, where f puts it right.
func (p pointer) change(doc any, f func(parent any, last string) (any, error)) (any, error) {
	if len(p) == 1 {
		return f(doc, p[0])
	}
	switch at := doc.(type) {
	case map[string]any:
		child, ok := at[p[0]]
		if !ok {
			return nil, errNoValue
		}
		v, err := p[1:].change(child, f)
		if err != nil {
			return nil, err
		}
		at[p[0]] = v
		return at, nil
	case []any:
		i, err := index(p[0], len(at)-1)
		if err != nil {
			return nil, err
		}
		v, err := p[1:].change(at[i], f)
		if err != nil {
			return nil, err
		}
		at[i] = v
		return at, nil
	}
	return nil, errNoValue
}

// add puts a value into an object, or into an array before what stands there.
func (p pointer) add(doc, value any) (any, error) {
	if len(p) == 0 {
		return value, nil
	}
	return p.change(doc, func(parent any, last string) (any, error) {
		switch at := parent.(type) {
		case map[string]any:
			at[last] = value
			return at, nil
		case []any:
			if last == "-" {
				return append(at, value), nil
			}
			i, err := index(last, len(at))
			if err != nil {
				return nil, err
			}
			return slices.Insert(at, i, value), nil
		}
		return nil, errNoValue
	})
}

// replace puts a value in the place of one that is there.
func (p pointer) replace(doc, value any) (any, error) {
	if len(p) == 0 {
		return value, nil
	}
	return p.change(doc, func(parent any, last string) (any, error) {
		switch at := parent.(type) {
		case map[string]any:
			if _, ok := at[last]; ok {
				at[last] = value
				return at, nil
			}
		case []any:
			i, err := index(last, len(at)-1)
			if err != nil {
				return nil, err
			}
			at[i] = value
			return at, nil
		}
		return nil, errNoValue
	})
}

// remove takes a value away that is there.
func (p pointer) remove(doc any) (any, error) {
	if len(p) == 0 {
		return nil, errRoot
	}
	return p.change(doc, func(parent any, last string) (any, error) {
		switch at := parent.(type) {
		case map[string]any:
			if _, ok := at[last]; ok {
				delete(at, last)
				return at, nil
			}
		case []any:
			i, err := index(last, len(at)-1)
			if err != nil {
				return nil, err
			}
			return slices.Delete(at, i, i+1), nil
		}
		return nil, errNoValue
	})
}

// index reads an array index: digits without a leading zero, at most most.
func index(step string, most int) (int, error) {
	if step == "" || step[0] == '0' && len(step) > 1 || strings.Trim(step, "0123456789") != "" {
		return 0, fmt.Errorf("array index %q: must be a number without leading zeros", clip(step))
	}
	i, err := strconv.Atoi(step)
	if err != nil || i > most {
		return 0, errNoValue
	}
	return i, nil
}
