// Package visible keeps texts from others from driving a terminal: it replaces control
// characters in a label, a user's id or a provider's answer by escapes.
//
// An escape is \u009b as in JSON, so that a JSON document stays valid and means the same; a
// byte that is not UTF-8 is \x9b.
package visible

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns a text with an escape in the place of everything that a terminal
// may act on, or that hides or reorders what stands around it: control characters
// (C0 but for line break and tab, DEL, C1), bidirectional controls, line and
// paragraph separators, invisible spaces, and bytes that are not UTF-8, which
// some terminals read as C1. Joiners and variation selectors stay: emoji and
// Persian need them.
func Text(s string) string { return escape(s, false) }

// Field is [Text] for a value within a line: line breaks and tabs would make
// lines and columns of their own, and are escaped too.
func Field(s string) string { return escape(s, true) }

func escape(s string, field bool) string {
	at := strings.IndexFunc(s, func(r rune) bool { return acts(r, field) })
	if at < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case acts(r, field):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// acts reports whether a character does something instead of being shown.
func acts(r rune, field bool) bool {
	const (
		zeroWidthSpace, wordJoiner, byteOrderMark = 0x200b, 0x2060, 0xfeff
		annotationFirst, annotationLast           = 0xfff9, 0xfffb
	)
	switch {
	case r == '\n' || r == '\t':
		return field
	case r < ' ' || r >= 0x7f && r < 0xa0:
		return true
	case r < 0x600: // the first of the others is U+061C
		return false
	}
	return unicode.Is(unicode.Bidi_Control, r) || unicode.In(r, unicode.Zl, unicode.Zp) ||
		r == zeroWidthSpace || r == wordJoiner || r == byteOrderMark || r >= annotationFirst && r <= annotationLast
}

// Fields applies [Field] to every text that a pointer leads to: fields, items,
// keys and values. Bytes, such as raw JSON, stay as they are.
func Fields(pointer any) { fields(reflect.ValueOf(pointer)) }

func fields(v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // the others hold no texts
	case reflect.Pointer:
		if !v.IsNil() {
			fields(v.Elem())
		}
	case reflect.Interface:
		if !v.IsNil() && v.CanSet() {
			inside := reflect.New(v.Elem().Type()).Elem()
			inside.Set(v.Elem())
			fields(inside)
			v.Set(inside)
		}
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanInterface() {
				fields(f)
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			fields(v.Index(i))
		}
	case reflect.Map:
		table(v)
	case reflect.String:
		if v.CanSet() {
			v.SetString(Field(v.String()))
		}
	}
}

// table applies [Field] to the entries of a map, which cannot be changed in place.
func table(v reflect.Value) {
	if v.IsNil() || v.Type().Key().Kind() != reflect.String {
		return
	}
	for _, key := range v.MapKeys() {
		value := reflect.New(v.Type().Elem()).Elem()
		value.Set(v.MapIndex(key))
		fields(value)
		name := reflect.New(key.Type()).Elem()
		name.SetString(Field(key.String()))
		v.SetMapIndex(key, reflect.Value{})
		v.SetMapIndex(name, value)
	}
}

// Writer writes texts through [Text]. A character may be cut in two between writes: its end
// comes with the next one. It is for one goroutine at a time.
type Writer struct {
	out  io.Writer
	rest []byte // the beginning of a character
}

// NewWriter returns a writer onto out; one that is a Writer already is returned
// as it is.
func NewWriter(out io.Writer) *Writer {
	if w, ok := out.(*Writer); ok {
		return w
	}
	return &Writer{out: out}
}

// Raw returns the underlying writer, for what the program itself draws.
func (w *Writer) Raw() io.Writer { return w.out }

// Write implements io.Writer. It reports all of p as written or nothing.
func (w *Writer) Write(p []byte) (int, error) {
	text := append(w.rest, p...) //nolint:gocritic // rest is given anew below
	end := len(text)
	for i := max(0, end-utf8.UTFMax+1); i < end; i++ {
		if utf8.RuneStart(text[i]) && text[i] >= utf8.RuneSelf && !utf8.FullRune(text[i:]) {
			end = i
			break
		}
	}
	w.rest = append([]byte(nil), text[end:]...)
	if _, err := io.WriteString(w.out, Text(string(text[:end]))); err != nil {
		return 0, err //nolint:wrapcheck // a writer's error is its own
	}
	return len(p), nil
}
