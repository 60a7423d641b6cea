package strict

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads a string, and returns where it stands.
func (s *scanner) quoted() (name, *Error) {
	s.at++
	n := name{from: s.at}
	for {
		s.at = plain(s.text, s.at)
		if s.at == len(s.text) {
			return n, s.unexpected("a closing quotation mark")
		}
		switch c := s.text[s.at]; {
		case c == '"':
			n.to = s.at
			s.at++
			return n, nil
		case c == '\\':
			n.escaped = true
			if err := s.escape(); err != nil {
				return n, err
			}
		case c < ' ':
			return n, s.fault(s.at, "not valid JSON: byte %d is the control character 0x%02x: write it as an escape", s.at, c)
		default:
			if err := s.encoding(); err != nil {
				return n, err
			}
			_, size := utf8.DecodeRune(s.text[s.at:])
			s.at += size
		}
	}
}

// plain passes over the ASCII that stands for itself in a string.
func plain(text []byte, at int) int {
	for ; at < len(text); at++ {
		if c := text[at]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
	}
	return at
}

// escape reads what follows a backslash. Two \u escapes may be one character,
// and half of such a pair is none.
func (s *scanner) escape() *Error {
	from := s.at
	s.at++
	if s.at >= len(s.text) {
		return s.unexpected("an escape")
	}
	c := s.text[s.at]
	if c != 'u' {
		if plainEscape(c) == 0 {
			return s.unexpected(`one of "\/bfnrtu after a backslash`)
		}
		s.at++
		return nil
	}
	s.at++
	r := hexAt(s.text[s.at:])
	if r < 0 {
		return s.unexpected(`four hexadecimal digits after \u`)
	}
	_, n := escaped(s.text[s.at:])
	if n == 0 {
		return s.fault(from, `\u%04x at byte %d is half a character (half of a surrogate pair): write both halves, or the character itself`, r,
			from)
	}
	s.at += n
	return nil
}

// unhex returns -1 for what is no hexadecimal digit.
func unhex(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// unescaped returns a name that was read without faults.
func (s *scanner) unescaped(n name) []byte {
	raw := s.text[n.from:n.to]
	if !n.escaped {
		return raw
	}
	out, _ := unquote(raw)
	return out
}

// Unquote decodes what stands between the quotation marks of a JSON string. It
// reports false, and returns nothing, for an escape that is none or half a
// character. That the rest is
// UTF-8 without control characters and quotation marks is the caller's to know.
func Unquote(raw []byte) (string, bool) {
	out, ok := unquote(raw)
	if !ok {
		return "", false // what stands before the fault is another text
	}
	return string(out), true
}

func unquote(raw []byte) ([]byte, bool) {
	out := make([]byte, 0, len(raw))
	for {
		at := bytes.IndexByte(raw, '\\')
		if at < 0 {
			return append(out, raw...), true
		}
		if at+1 == len(raw) {
			return out, false
		}
		out = append(out, raw[:at]...)
		c := raw[at+1]
		if raw = raw[at+2:]; c != 'u' {
			if out = append(out, plainEscape(c)); out[len(out)-1] == 0 {
				return out, false
			}
			continue
		}
		r, n := escaped(raw)
		if n == 0 {
			return out, false
		}
		out, raw = utf8.AppendRune(out, r), raw[n:]
	}
}

// plainEscape returns the character that a letter behind a backslash stands for,
// 0 if that is none.
func plainEscape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// escaped reads the character behind a \u, perhaps of two escapes, and returns
// how many bytes it took; 0 if there is none.
func escaped(text []byte) (rune, int) {
	const one, two = 4, 4 + len(`\u`) + 4
	r := hexAt(text)
	switch {
	case r < 0:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, one
	case len(text) < two || text[one] != '\\' || text[one+1] != 'u':
		return 0, 0
	}
	if r = utf16.DecodeRune(r, hexAt(text[one+2:])); r == utf8.RuneError {
		return 0, 0
	}
	return r, two
}

// hexAt reads four hexadecimal digits, or returns -1.
func hexAt(text []byte) (r rune) {
	if len(text) < 4 {
		return -1
	}
	for _, c := range text[:4] {
		d := unhex(c)
		if d < 0 {
			return -1
		}
		r = r<<4 | d
	}
	return r
}

// Clip shortens a text that is repeated to somebody to so many bytes of whole
// characters, and a mark that there was more.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
