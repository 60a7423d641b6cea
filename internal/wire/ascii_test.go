package wire_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfry-push/belfry/internal/wire"
)

func TestASCII(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"ascii", `{"a":"b\n~"}`, `{"a":"b\n~"}`},
		{"umlaut", `"ä"`, `"\u00e4"`},
		{"last of the basic plane", "\"\uffff\"", `"\uffff"`},
		{"emoji", `"a😀b"`, `"a\ud83d\ude00b"`},
		{"last character", "\"\U0010ffff\"", `"\udbff\udfff"`},
		{"delete", "\"\x7f\"", `"\u007f"`},
		{"lone surrogate as bytes", "\"\xed\xa0\x80\"", `"\ufffd\ufffd\ufffd"`},
		{"lone surrogate as escape", `"\ud800"`, `"\ud800"`},
		{"broken UTF-8", "\"a\xffb\"", `"a\ufffdb"`},
		{"cut UTF-8", "\"\xf0\x9f", `"\ufffd\ufffd`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := string(wire.ASCII([]byte(c.in))); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestASCIIKeepsTheMeaning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "document")
		raw, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]string
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		before := string(raw)
		ascii := wire.ASCII(raw)
		if string(raw) != before {
			t.Fatal("the argument was changed")
		}
		for i, c := range ascii {
			if c < ' ' || c > '~' {
				t.Fatalf("byte %d is 0x%02x", i, c)
			}
		}
		if err := json.Unmarshal(ascii, &got); err != nil {
			t.Fatal(err)
		}
		same(t, got, want, nil)
	})
}
