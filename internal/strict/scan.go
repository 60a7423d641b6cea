package strict

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest, the recursion limit of
// protocol buffer parsers, FCM's among them
// (https://protobuf.dev/programming-guides/proto-limits/).
const MaxDepth = 100

// Error says why a text is not taken, and where.
type Error struct {
	Pointer string // RFC 6901: the value, or the object that holds it
	Offset  int    // of the byte at which the fault was seen, from 0
	Twice   bool   // the fault is a name that an object has twice
	Detail  string // what is wrong and what would be right, with the offset
}

// Error implements error.
func (e *Error) Error() string {
	if e.Pointer == "" {
		return e.Detail
	}
	return e.Pointer + ": " + e.Detail
}

// bom is U+FEFF in UTF-8, which Windows programs write in front of a text.
const bom = "\xef\xbb\xbf"

// TrimBOM returns the text without a UTF-8 byte order mark in front. RFC 8259
// §8.1 lets readers skip it; Belfry does so at every door.
func TrimBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte(bom)) }

// InvalidUTF8 returns where a text stops being UTF-8, -1 if it never does.
func InvalidUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return -1
}

// Check returns nil if the text is exactly one JSON value (RFC 8259) that nobody
// can read in two ways: it is UTF-8, every \u escape is a whole character, no
// object has a name twice, and it nests at most [MaxDepth] deep. Anything else is
// an [*Error]. The text must have no byte order mark; see [TrimBOM]. Check makes
// one pass and allocates nothing for a text without faults whose objects have no
// more than some dozens of names.
func Check(text []byte) error {
	s := scanner{text: text}
	if err := s.whole(); err != nil {
		return err
	}
	return nil
}

// scanner reads a text once.
type scanner struct {
	text   []byte
	at     int
	depth  int
	frames [MaxDepth]frame // of the values that are open, outermost first
	names  names           // of the objects that are open, those of the innermost last
}

// frame is an array or object that is open.
type frame struct {
	array bool
	named bool                // the last of the object's names belongs to the value at hand
	index int                 // of the array's present item
	first int                 // how many names there were before the object's own
	seen  map[string]struct{} // instead of comparing with each, once there are many
}

func (s *scanner) whole() *Error {
	if len(s.text) > 1 && (s.text[0] == 0 || s.text[1] == 0 || s.text[0] >= 0xfe && s.text[1] >= 0xfe) {
		return s.fault(0, "this is not UTF-8 but looks like UTF-16: write the text as UTF-8")
	}
	s.space()
	if s.at == len(s.text) {
		return s.fault(s.at, "empty: expected a JSON value")
	}
	if err := s.value(); err != nil {
		return err
	}
	if s.space(); s.at < len(s.text) {
		return s.fault(s.at, "not valid JSON: more data after the value, at byte %d", s.at)
	}
	return nil
}

// fault describes what is wrong with the value at hand.
func (s *scanner) fault(at int, format string, args ...any) *Error {
	return &Error{Pointer: s.pointer(), Offset: at, Detail: fmt.Sprintf(format, args...)}
}

// unexpected is the fault that something else stands where want must be.
func (s *scanner) unexpected(want string) *Error {
	if s.at >= len(s.text) {
		return s.fault(s.at, "not valid JSON: it ends early, after byte %d: expected %s", s.at, want)
	}
	if err := s.encoding(); err != nil {
		return err
	}
	r, _ := utf8.DecodeRune(s.text[s.at:])
	return s.fault(s.at, "not valid JSON: %q at byte %d: expected %s", r, s.at, want)
}

// encoding returns the fault that no character begins at the byte at hand.
func (s *scanner) encoding() *Error {
	if r, size := utf8.DecodeRune(s.text[s.at:]); r == utf8.RuneError && size <= 1 {
		return s.fault(s.at, "must be UTF-8 (byte %d is 0x%02x): write the text as UTF-8, not in another encoding", s.at, s.text[s.at])
	}
	return nil
}

func (s *scanner) pointer() string {
	var b []byte
	for i := range s.depth {
		f := &s.frames[i]
		if f.array {
			b = strconv.AppendInt(append(b, '/'), int64(f.index), 10)
			continue
		}
		if f.named {
			last := s.names.n
			if i+1 < s.depth {
				last = s.frames[i+1].first
			}
			b = appendStep(append(b, '/'), s.unescaped(*s.names.at(last - 1)))
		}
	}
	return string(b)
}

// Step returns a name as a JSON Pointer has it (RFC 6901 §3), without the slash.
func Step(name string) string { return string(appendStep(nil, []byte(name))) }

// appendStep applies RFC 6901 §3.
func appendStep(dst, step []byte) []byte {
	for _, c := range step {
		switch c {
		case '~':
			dst = append(dst, '~', '0')
		case '/':
			dst = append(dst, '~', '1')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\n', '\t', '\r':
			s.at++
		default:
			return
		}
	}
}

// take skips white space and takes c if it stands there.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// value reads a value; white space before it was skipped.
func (s *scanner) value() *Error {
	const want = "a value"
	if s.at >= len(s.text) {
		return s.unexpected(want)
	}
	switch c := s.text[s.at]; {
	case c == '"':
		_, err := s.quoted()
		return err
	case c == '{':
		return s.object()
	case c == '[':
		return s.array()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return s.unexpected(want)
}

func (s *scanner) literal(word string) *Error {
	if len(s.text)-s.at < len(word) || string(s.text[s.at:s.at+len(word)]) != word {
		return s.unexpected(strconv.Quote(word))
	}
	s.at += len(word)
	return nil
}

// number reads a number by RFC 8259 §6.
func (s *scanner) number() *Error {
	if s.text[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.text) && s.text[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return s.unexpected("a digit")
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		if s.at++; !s.digits() {
			return s.unexpected("a digit")
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if !s.digits() {
			return s.unexpected("a digit")
		}
	}
	return nil
}

// digits reads decimal digits and reports whether there were any.
func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > from
}

// enter opens an array or object.
func (s *scanner) enter(array bool) *Error {
	if s.depth == MaxDepth {
		return s.fault(s.at, "nested deeper than %d, at byte %d", MaxDepth, s.at)
	}
	s.frames[s.depth] = frame{array: array, first: s.names.n}
	s.depth++
	s.at++
	return nil
}

// leave closes it.
func (s *scanner) leave() {
	s.depth--
	s.names.cut(s.frames[s.depth].first)
}

func (s *scanner) array() *Error {
	if err := s.enter(true); err != nil {
		return err
	}
	f := &s.frames[s.depth-1]
	if s.take(']') {
		s.leave()
		return nil
	}
	for {
		s.space()
		if err := s.value(); err != nil {
			return err
		}
		if s.take(']') {
			s.leave()
			return nil
		}
		if !s.take(',') {
			return s.unexpected("a comma or ]")
		}
		f.index++
	}
}

func (s *scanner) object() *Error {
	if err := s.enter(false); err != nil {
		return err
	}
	f := &s.frames[s.depth-1]
	if s.take('}') {
		s.leave()
		return nil
	}
	for {
		if s.space(); s.at >= len(s.text) || s.text[s.at] != '"' {
			return s.unexpected("a name in quotation marks")
		}
		if err := s.name(f); err != nil {
			return err
		}
		if !s.take(':') {
			return s.unexpected("a colon")
		}
		s.space()
		if err := s.value(); err != nil {
			return err
		}
		f.named = false
		if s.take('}') {
			s.leave()
			return nil
		}
		if !s.take(',') {
			return s.unexpected("a comma or }")
		}
	}
}
