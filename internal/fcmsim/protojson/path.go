package protojson

import "strconv"

// path is the way from the root of a request to a value.
type path []step

// step is a member of an object, or, without a name, an element of a list.
type step struct {
	name  string
	index int
}

// String writes the path as error messages do: message.data[0].value.
func (p path) String() string {
	var b []byte
	for _, s := range p {
		switch {
		case s.name == "":
			b = strconv.AppendInt(append(b, '['), int64(s.index), 10)
			b = append(b, ']')
		case len(b) == 0:
			b = append(b, s.name...)
		default:
			b = append(append(b, '.'), s.name...)
		}
	}
	return string(b)
}

// suffix names the path at the end of a phrase; the root goes without saying.
func (p path) suffix() string {
	if len(p) == 0 {
		return ""
	}
	return " at '" + p.String() + "'"
}
