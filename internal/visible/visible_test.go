package visible_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/visible"
)

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "",
		"plain, Grüße, 🏳️\u200d🌈, می\u200cخواهم, \ufffd": "plain, Grüße, 🏳️\u200d🌈, می\u200cخواهم, \ufffd",
		"two\nlines\tof columns":               "two\nlines\tof columns",
		"\x1b[2J\x1b]0;title\x07":              `\u001b[2J\u001b]0;title\u0007`,
		"over\rwritten\b\x00\x7f":              `over\u000dwritten\u0008\u0000\u007f`,
		"C1 \u009b31m \u0085":                  `C1 \u009b31m \u0085`,
		"8 bit \x9b31m \xff":                   `8 bit \x9b31m \xff`,
		"admin\u202etxt.exe\u2066\u200e\u061c": `admin\u202etxt.exe\u2066\u200e\u061c`,
		"a\u200bb\u2028c\u2029d\ufeffe\u2060":  `a\u200bb\u2028c\u2029d\ufeffe\u2060`,
	} {
		if got := visible.Text(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := visible.Field("a\nb\tc"); got != `a\u000ab\u0009c` {
		t.Errorf("got %q", got)
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	type inner struct{ Name string }
	type outer struct {
		Text    string
		Code    *string
		List    []inner
		Labels  map[string]string
		Any     map[string]any
		Raw     json.RawMessage
		Nothing *inner
		hidden  string
	}
	bad, code := "a\n\x1bb", "c\td"
	v := outer{bad, &code, []inner{{bad}}, map[string]string{bad: bad}, map[string]any{"k": []any{bad, 1.0}}, json.RawMessage(bad), nil, bad}
	visible.Fields(&v)
	good, fine := `a\u000a\u001bb`, `c\u0009d`
	want := outer{
		good, &fine, []inner{{good}}, map[string]string{good: good}, map[string]any{"k": []any{good, 1.0}}, json.RawMessage(bad), nil, bad,
	}
	if d := cmp.Diff(want, v, cmp.AllowUnexported(outer{})); d != "" {
		t.Error(d)
	}
}

// However a text is cut into writes, it comes out the same, and a JSON document
// means the same.
func FuzzWriter(f *testing.F) {
	f.Add("Grüße \x1b[0m\u009b🔔\xff", uint8(1))
	f.Fuzz(func(t *testing.T, text string, step uint8) {
		text = strings.ToValidUTF8(text, "?")
		doc, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		w := visible.NewWriter(&b)
		for rest := string(doc); rest != ""; {
			n := min(int(step%7)+1, len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		var again string
		if err := json.Unmarshal([]byte(b.String()), &again); err != nil || again != text {
			t.Fatalf("%q became %q: %v", text, again, err)
		}
		if got := visible.Text(b.String()); got != b.String() || !utf8.ValidString(got) {
			t.Fatalf("%q is not all visible: %q", text, b.String())
		}
	})
}
