package worker

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestLimitsOfAMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		m    Outgoing
		want string // in the error; "" for none
	}{
		{"ASCII", Outgoing{Body: []byte("{\"a\":1}\r\n\t")}, ""},
		{"beyond U+FFFF", Outgoing{Body: []byte("\U0001f514")}, ""},
		{"the replacement character itself", Outgoing{Body: []byte("\ufffd")}, ""},
		{"escape", Outgoing{Body: []byte("ab\x1b")}, "byte 2"},
		{"not UTF-8", Outgoing{Body: []byte("a\xff")}, "byte 1"},
		{"a surrogate", Outgoing{Body: []byte("\xed\xa0\x80")}, "byte 0"},
		{"no character", Outgoing{Body: []byte("ä\uffff")}, "byte 2"},
		{"group with a space", Outgoing{Body: []byte("x"), Group: "a b"}, "group"},
		{"group beyond ASCII", Outgoing{Body: []byte("x"), Group: "ä"}, "group"},
		{"longest group", Outgoing{Body: []byte("x"), Group: strings.Repeat("~", 128)}, ""},
		{"longest delay", Outgoing{Body: []byte("x"), Delay: 15 * time.Minute}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := CheckMessage(&c.m)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// foreign agrees with the rule read character by character.
func FuzzForeign(f *testing.F) {
	for _, s := range []string{
		"", "plain", "\t\n\r", "ü鈴\U0001f514", "\x00", "a\x7fb", "\xc3", "\ufffd", "\ufffe", "\uffff", "\xf4\x90\x80\x80",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		allowed := utf8.Valid(body)
		for _, r := range string(body) {
			switch {
			case r == '\t', r == '\n', r == '\r':
			case r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
			default:
				allowed = false
			}
		}
		at, found := foreign(body)
		if found == allowed {
			t.Errorf("%q: foreign says %v, the rule allows it: %v", body, found, allowed)
		}
		if found {
			if _, before := foreign(body[:at]); before {
				t.Errorf("%q: byte %d is not the first", body, at)
			}
		}
	})
}
