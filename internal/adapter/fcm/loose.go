package fcm

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"slices"
	"strconv"

	"github.com/belfry-push/belfry/internal/adapter/fcm/transport"
)

// What follows reads answers that are not quite what FCM's documentation says:
// compressed though nobody asked for it, cut off in the middle, or with a number
// where a text should be. An answer that is thrown away for its form takes the
// reason of a failure with it.

// scalar is a JSON text, or a number or truth value as it is written; anything
// else is "".
type scalar string

// UnmarshalJSON implements [json.Unmarshaler]; it never fails.
func (s *scalar) UnmarshalJSON(b []byte) error {
	var text string
	switch {
	case len(b) == 0 || b[0] == '{' || b[0] == '[' || string(b) == "null":
	case json.Unmarshal(b, &text) == nil:
		*s = scalar(text)
	default:
		*s = scalar(b)
	}
	return nil
}

// number returns the value as an integer, 0 if it is none.
func (s scalar) number() int {
	n, err := strconv.Atoi(string(s))
	if err != nil {
		return 0
	}
	return n
}

// plain returns the body without gzip, by its magic number: the header that
// should say so is not kept. A byte order mark, which JSON must not have and
// some proxies add, is cut off. What can't be unpacked to its end is returned as
// far as it can.
func plain(body []byte) []byte {
	if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		if r, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, _ = io.ReadAll(io.LimitReader(r, transport.MaxBody))
		}
	}
	return bytes.TrimPrefix(body, []byte("\ufeff"))
}

// repaired returns JSON that was cut off, without its last, incomplete value and
// with every bracket closed; nil where nothing can be saved.
func repaired(body []byte) []byte {
	cut := 0
	brackets(body, func(at int, c byte) {
		if c == ',' {
			cut = at
		} else {
			cut = at + 1
		}
	})
	out := bytes.Clone(body[:cut])
	var open []byte
	brackets(out, func(_ int, c byte) {
		switch c {
		case '{', '[':
			open = append(open, c+2) // } and ] stand two behind { and [ in ASCII
		case '}', ']':
			open = open[:max(0, len(open)-1)]
		}
	})
	slices.Reverse(open)
	return append(out, open...)
}

// brackets calls f with every bracket and comma that is not within a text.
func brackets(body []byte, f func(at int, c byte)) {
	quoted := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '}', c == '[', c == ']', c == ',':
			f(i, c)
		}
	}
}
