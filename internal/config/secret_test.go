package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()

	s := Secret("hush-hush")
	holder := struct {
		Key  Secret
		Keys []Secret
	}{s, []Secret{s}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10.3s"} {
		for _, v := range []any{s, &s, holder, API{Key: s}, map[string]Secret{"a": s}} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "hush") || strings.Contains(out, "68757368") {
				t.Errorf("%s of %T prints %s", verb, v, out)
			}
		}
	}
	out, err := json.Marshal(holder)
	if err != nil || strings.Contains(string(out), "hush") {
		t.Errorf("JSON is %s, %v", out, err)
	}
	if s.Reveal() != "hush-hush" || s.String() != "[redacted]" || Secret("").String() != "" {
		t.Errorf("Reveal, String = %q, %q", s.Reveal(), s)
	}
}
