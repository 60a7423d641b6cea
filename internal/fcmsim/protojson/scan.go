package protojson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/belfry-push/belfry/internal/message"
)

// scanner reads JSON (RFC 8259) in place: validation needs positions, which encoding/json does not tell.
type scanner struct {
	buf []byte
	pos int
}

// syntaxError is JSON that is none.
type syntaxError struct {
	what string
	near []byte
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("Invalid JSON payload received. %s\n%s\n^", e.what, e.near)
}

// text is a scanned string: what stands between its quotes.
type text struct {
	raw     []byte
	start   int // position of raw in the buffer
	escaped bool
}

// String decodes the text.
func (t text) String() string {
	if !t.escaped {
		return string(t.raw)
	}
	quoted := make([]byte, 0, len(t.raw)+2)
	quoted = append(append(append(quoted, '"'), t.raw...), '"')
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return string(t.raw) // cannot happen: the scanner checked it
	}
	return s
}

func (s *scanner) fail(what string) error {
	const window = 20
	from, to := max(0, s.pos), min(len(s.buf), s.pos+window)
	return &syntaxError{what: what, near: s.buf[min(from, to):to]}
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.buf); s.pos++ {
		switch c := s.buf[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// next skips white space and consumes c if it is the next byte.
func (s *scanner) next(c byte) bool {
	if s.peek() != c || s.pos == len(s.buf) {
		return false
	}
	s.pos++
	return true
}

// object calls field for every member of the object at hand; field must consume the value.
func (s *scanner) object(field func(key text) error) error {
	if !s.next('{') {
		return s.fail("Unexpected token.")
	}
	if s.next('}') {
		return nil
	}
	for {
		key, err := s.text()
		if err != nil {
			return err
		}
		if !s.next(':') {
			return s.fail("Expected : between key:value pair.")
		}
		if err := field(key); err != nil {
			return err
		}
		if s.next('}') {
			return nil
		}
		if !s.next(',') {
			return s.fail("Expected , or } after key:value pair.")
		}
	}
}

// array calls item for every element of the array at hand; item must consume the value.
func (s *scanner) array(item func(i int) error) error {
	if !s.next('[') {
		return s.fail("Unexpected token.")
	}
	if s.next(']') {
		return nil
	}
	for i := 0; ; i++ {
		if err := item(i); err != nil {
			return err
		}
		if s.next(']') {
			return nil
		}
		if !s.next(',') {
			return s.fail("Expected , or ] after array value.")
		}
	}
}

// text consumes a string.
func (s *scanner) text() (text, error) {
	if !s.next('"') {
		return text{}, s.fail("Expected a string.")
	}
	t := text{start: s.pos}
	ascii := true
	for ; s.pos < len(s.buf); s.pos++ {
		switch c := s.buf[s.pos]; {
		case c == '"':
			t.raw = s.buf[t.start:s.pos]
			if !ascii && !utf8.Valid(t.raw) {
				s.pos = t.start
				return text{}, s.fail("Invalid UTF-8 in string.")
			}
			s.pos++
			return t, nil
		case c == '\\':
			t.escaped = true
			s.pos++
			if !s.escape() {
				return text{}, s.fail("Invalid escape sequence.")
			}
		case c < ' ':
			return text{}, s.fail("Invalid character in string.")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return text{}, s.fail("Closing quote expected in string.")
}

// escape checks what follows a backslash and stops at its last byte.
func (s *scanner) escape() bool {
	if s.pos >= len(s.buf) {
		return false
	}
	if s.buf[s.pos] != 'u' {
		return bytes.IndexByte([]byte(`"\/bfnrt`), s.buf[s.pos]) >= 0
	}
	for range 4 {
		s.pos++
		if s.pos >= len(s.buf) || !isHex(s.buf[s.pos]) {
			return false
		}
	}
	return true
}

// literal consumes a number, true, false or null and returns its text.
func (s *scanner) literal() ([]byte, error) {
	s.peek()
	start := s.pos
	for s.pos < len(s.buf) && isLiteral(s.buf[s.pos]) {
		s.pos++
	}
	word := s.buf[start:s.pos]
	switch {
	case string(word) == "true", string(word) == "false", string(word) == "null", isNumber(word):
		return word, nil
	}
	s.pos = start
	return nil, s.fail("Unexpected token.")
}

// skip consumes any value.
func (s *scanner) skip(depth int) error {
	if depth > message.MaxDepth {
		return s.tooDeep()
	}
	switch s.peek() {
	case '{':
		return s.object(func(text) error { return s.skip(depth + 1) })
	case '[':
		return s.array(func(int) error { return s.skip(depth + 1) })
	case '"':
		_, err := s.text()
		return err
	}
	_, err := s.literal()
	return err
}

// tooDeep is the error of a request that nests deeper than protocol buffer parsers follow.
func (s *scanner) tooDeep() error {
	return s.fail("Message too deep. Max recursion depth reached.")
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLiteral(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '+' || c == '.'
}

// isNumber checks the grammar of RFC 8259 §6.
func isNumber(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("-"))
	whole := digits(b)
	if whole == 0 || whole > 1 && b[0] == '0' {
		return false
	}
	b = b[whole:]
	if fraction, ok := bytes.CutPrefix(b, []byte(".")); ok {
		n := digits(fraction)
		if n == 0 {
			return false
		}
		b = fraction[n:]
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		n := digits(b)
		return n > 0 && n == len(b)
	}
	return len(b) == 0
}

// digits returns how many digits b begins with.
func digits(b []byte) int {
	n := 0
	for n < len(b) && isDigit(b[n]) {
		n++
	}
	return n
}
