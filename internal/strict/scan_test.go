package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`[`, MaxDepth) + strings.Repeat(`]`, MaxDepth)
	many := func(last string) string {
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, `"k%d":%d,`, i, i)
		}
		return "{" + b.String() + `"` + last + `":0}`
	}
	for _, c := range []struct {
		name, text string
		pointer    string
		want       string // in the detail; "" for no fault
	}{
		{"everything", " {\"a\":[1,-0.5e+3,0,true,false,null,\"x\\u00fc\\n\\ud83d\\udd14🔔\",{}],\"b\":{\"a\":[]}}\r\n\t", "", ""},
		{"U+FFFD itself is a character", "\"\ufffd\\ufffd\"", "", ""},
		{"U+0000 and U+FFFF are characters", `"\u0000\uffff"`, "", ""},
		{"a name in two objects", `[{"a":{"a":1}},{"a":2}]`, "", ""},
		{"as deep as may be", deep, "", ""},
		{"a hundred names", many("k"), "", ""},

		{"nothing", " \n", "", "empty"},
		{"Latin-1", "{\"user_id\":\"Fran\xe7ois\"}", "/user_id", "byte 16 is 0xe7"},
		{"a Latin-1 name", "{\"ok\":1,\"Fran\xe7ois\":1}", "", "byte 13 is 0xe7"},
		{"Latin-1 between values", "[1,\xa0 2]", "/1", "byte 3 is 0xa0"},
		{"a surrogate in UTF-8", "\"\xed\xa0\xbd\"", "", "byte 1 is 0xed"},
		{"an overlong slash", "\"\xc0\xaf\"", "", "byte 1 is 0xc0"},
		{"beyond Unicode", "\"\xf4\x90\x80\x80\"", "", "byte 1 is 0xf4"},
		{"cut in a character", "\"\xe2\x82", "", "byte 1 is 0xe2"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "", "UTF-16"},
		{"UTF-16 without a mark", "{\x00}\x00", "", "UTF-16"},
		{"a byte order mark in the text", "[\"a\",\xef\xbb\xbf1]", "/1", `'\ufeff' at byte 5`},

		{"the first half alone", `{"a":["x","\ud83d"]}`, "/a/1", `\ud83d at byte 11 is half`},
		{"the first half and a letter", `"\ud83dx"`, "", `\ud83d at byte 1 is half`},
		{"the first half and another escape", `"\ud83d\n"`, "", `\ud83d at byte 1 is half`},
		{"the first half twice", `"\ud83d\uD83D"`, "", `\ud83d at byte 1 is half`},
		{"the second half alone", `"\udd14"`, "", `\udd14 at byte 1 is half`},
		{"the halves swapped", `"\udd14\ud83d"`, "", `\udd14 at byte 1 is half`},
		{"half a name", `{"\ud83d":1}`, "", `\ud83d at byte 2 is half`},

		{"a name twice", `{"to":1,"to":2}`, "/to", "is there twice in one object, for the second time at byte 8"},
		{"a name twice, once escaped", `{"a":{"t\u006f":1,"to":2}}`, "/a/to", "twice"},
		{"a name twice, both escaped", `{"\u0074o":1,"t\u006f":2}`, "/to", "twice"},
		{"an emoji twice", `{"🔔":1,"\ud83d\udd14":2}`, "/🔔", "twice"},
		{"the empty name twice", `{"":1,"":2}`, "/", "twice"},
		{"a name twice behind an object", `{"a":{"b":1},"a":2}`, "/a", "twice"},
		{"a name twice in an item", `[0,{"a/b~":1,"a/b~":1}]`, "/1/a~1b~0", "twice"},
		{"one of a hundred names twice", many("k3"), "/k3", "twice"},
		{
			"the sixteenth and the seventeenth",
			`{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"f":0}`, "/f", "twice",
		},

		{"too deep", "[" + deep + "]", strings.Repeat("/0", MaxDepth), "nested deeper"},
		{"two values", "{} {}", "", "more data after the value, at byte 3"},
		{"ends early", `{"a":[1,2`, "/a/1", "ends early"},
		{"ends in a string", `{"a":"b`, "/a", "ends early"},
		{"ends in an escape", `"\`, "", "ends early"},
		{"ends in a number", `-`, "", "ends early"},
		{"a raw line break", "\"a\nb\"", "", "byte 2 is the control character 0x0a"},
		{"a bad escape", `"\x41"`, "", "after a backslash"},
		{"a short escape", `"\u00g0"`, "", "four hexadecimal digits"},
		{"single quotes", `{'a':1}`, "", "a name in quotation marks"},
		{"a trailing comma", `{"a":1,}`, "", "a name in quotation marks"},
		{"a trailing comma in an array", `[1,]`, "/1", "a value"},
		{"no colon", `{"a" 1}`, "/a", "a colon"},
		{"no comma", `{"a":1 "b":2}`, "", "a comma or }"},
		{"a leading zero", `01`, "", "more data"},
		{"a plus", `+1`, "", "a value"},
		{"a dot at the end", `[1.]`, "/0", "a digit"},
		{"an exponent without digits", `1e+`, "", "ends early"},
		{"a word", `nul`, "", `expected "null"`},
		{"a comment", `/* */1`, "", "a value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := Check([]byte(c.text))
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			got, ok := errors.AsType[*Error](err)
			if !ok || got.Pointer != c.pointer || !strings.Contains(got.Detail, c.want) {
				t.Errorf("got %v, want %q at %q", err, c.want, c.pointer)
			}
			if ok && got.Twice != strings.Contains(c.want, "twice") {
				t.Errorf("Twice is %v", got.Twice)
			}
		})
	}
}

//nolint:paralleltest // it counts the process's allocations
func TestCheckAllocatesNothing(t *testing.T) {
	text := []byte(`{"to":{"tokens":["a","b"]},"message":{"notification":{"title":"Hi 🔔"},"data":{"k":"v\u00fc"}},"ttl":60}`)
	if n := testing.AllocsPerRun(100, func() {
		if err := Check(text); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCheck holds Check against encoding/json: what one takes, the other takes
// and reads back unchanged, except for what encoding/json would alter.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.5e+3,true,null,"\ud83d\udd14"],"b":{}}`, "\"\xff\"", `"\ud83d"`, `"\ud83d\ud83d\udd14"`, `{"a":1,"\u0061":2}`, `[`, `01`,
		`1.e1`,
		strings.Repeat("[", 101) + strings.Repeat("]", 101), "\xef\xbb\xbf{}", "{\"\xe7\":1}", ` 1 `, "\"\u2028\x7f\"", `{"":{"":{"":0}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := Check(text)
		twice, alters := oracle(text)
		fine := json.Valid(text) && utf8.Valid(text) && !twice && !alters && depthOf(text) <= MaxDepth
		if (err == nil) != fine {
			t.Fatalf("Check(%q) = %v; encoding/json: valid %v, a name twice %v, altered %v", text, err, json.Valid(text), twice, alters)
		}
		e, ok := errors.AsType[*Error](err)
		if err != nil && (!ok || e.Offset < 0 || e.Offset > len(text) || !utf8.ValidString(e.Detail)) {
			t.Fatalf("Check(%q) = %#v", text, err)
		}
	})
}

// oracle reports what encoding/json would do to a valid text in silence: drop
// one of two equal names, or read an escape as U+FFFD that does not say so.
func oracle(text []byte) (twice, alters bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber() // how large a number may be, its reader says
	type open struct {
		object, value bool
		names         map[string]bool
	}
	stack := []*open{{}}
	for {
		tok, err := dec.Token()
		if err != nil {
			return twice, alters || !errors.Is(err, io.EOF)
		}
		at := stack[len(stack)-1]
		if s, ok := tok.(string); ok && strings.ContainsRune(s, utf8.RuneError) {
			// Where the replacement character was not written, it was put in.
			written := bytes.Count(text, []byte("\ufffd")) + bytes.Count(bytes.ToLower(text), []byte(`\ufffd`))
			alters = alters || written == 0 || halfEscape(text)
		}
		if s, ok := tok.(string); ok && at.object && !at.value {
			twice = twice || at.names[s]
			at.names[s], at.value = true, true
			continue
		}
		at.value = false
		switch tok {
		case json.Delim('{'):
			stack = append(stack, &open{object: true, names: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, &open{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
	}
}

// halfEscape looks for an escape of half a character, one by one.
func halfEscape(text []byte) bool {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if i++; text[i] != 'u' {
			continue
		}
		var pair string
		rest := text[i-1:]
		switch {
		case json.Unmarshal(append(append([]byte(`"`), rest[:6]...), '"'), &pair) != nil:
			return false
		case pair != "\ufffd" || strings.EqualFold(string(rest[:6]), `\ufffd`):
			i += 4
		case len(rest) >= 12 && json.Unmarshal(append(append([]byte(`"`), rest[:12]...), '"'), &pair) == nil &&
			utf8.RuneCountInString(pair) == 1 && pair != "\ufffd":
			i += 10
		default:
			return true
		}
	}
	return false
}

func depthOf(text []byte) (deepest int) {
	depth, in := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case in && c == '\\':
			i++
		case c == '"':
			in = !in
		case !in && (c == '[' || c == '{'):
			depth++
			deepest = max(deepest, depth)
		case !in && (c == ']' || c == '}'):
			depth--
		}
	}
	return deepest
}

func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": -1, "ü🔔\ufffd": -1, "a\xff": 1, "ü\xed\xa0\x80": 2, "\xe2\x82": 0} {
		if got := InvalidUTF8(text); got != want {
			t.Errorf("InvalidUTF8(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	known := []string{"collapse_id", "expires_at", "labels", "message", "priority", "to", "ttl", "token", "tokens", "fid"}
	for name, want := range map[string]string{
		"collapseId": "collapse_id", "Expires-At": "expires_at", "lables": "labels", "mesage": "message", "prioirty": "priority",
		"Token": "token",
		"tokn":  "token", "tokenz": "token", "TTL": "ttl", "tt": "ttl", "fd": "fid", "t": "", "x": "", "colour": "",
		strings.Repeat("to", 99): "", "": "",
	} {
		if got := Suggest(name, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", name, got, want)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	text := []byte(`{"to":{"tokens":["` + strings.Repeat("t", 163) +
		`"]},"message":{"notification":{"title":"Hi","body":"there"},"data":{"k":"v"}},"ttl":60}`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(text); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`abc`, `\u00fc\n\/`, `\ud83d\udd14`, `\ud83d`, `\udd14\ud83d`, `\`, `\x`, `\u12`, `ü\"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		quoted := `"` + raw + `"`
		var want string
		if !utf8.ValidString(raw) || json.Unmarshal([]byte(quoted), &want) != nil {
			return // not the caller's to ask
		}
		got, ok := Unquote([]byte(raw))
		if ok != (Check([]byte(quoted)) == nil) || ok && got != want {
			t.Fatalf("Unquote(%q) = %q, %v; encoding/json reads %q", raw, got, ok, want)
		}
	})
}
