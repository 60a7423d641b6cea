package access

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestKeyForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		env := rapid.StringMatching(`[a-z0-9]{1,8}`).Draw(rt, "env")
		text, id := mint(env)
		if got, err := ParseKey(text); err != nil || got != id {
			rt.Fatalf("ParseKey(%q) = %q, %v; want %q", text, got, err, id)
		}
		// No single character can be mistyped, lost or doubled.
		at := rapid.IntRange(0, len(text)-1).Draw(rt, "at")
		other := rapid.SampledFrom([]byte(alphabet)).Draw(rt, "other")
		for name, wrong := range map[string]string{
			"mistyped": text[:at] + string(other) + text[at+1:], "lost": text[:at] + text[at+1:], "doubled": text[:at+1] + text[at:],
		} {
			if _, err := ParseKey(wrong); err == nil && wrong != text {
				rt.Errorf("%s: %q is taken for a key", name, wrong)
			}
		}
	})
}

func TestKeyIsDifferentEachTime(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		text, id := mint("live")
		if seen[text] || seen[id] {
			t.Fatal("twice the same")
		}
		seen[text], seen[id] = true, true
	}
}

func FuzzParseKey(f *testing.F) {
	text, _ := mint("live")
	for _, s := range []string{text, "", "blf_", "blf_live_0_0_0", strings.Repeat("_", 200), text + "\x00", strings.ToUpper(text)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseKey(s); err == nil && (len(id) != keyIDLen || !strings.HasPrefix(s, "blf_") || !LooksLikeKey(s)) {
			t.Errorf("%q is taken for a key with id %q", s, id)
		}
	})
}
