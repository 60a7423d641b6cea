package strict

import "testing"

func TestSlip(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"tmie": true, "tme": true, "timme": true, "time": false, "mime": false, "times": false, "tie": true, "item": false, "": false,
		"ime": true,
	} {
		if got := Slip(name, "time"); got != want {
			t.Errorf("Slip(%q) = %v", name, got)
		}
	}
	if Slip("timee", "tee") || Slip("teee", "tee") != true {
		t.Error("a letter doubled once is a slip, two letters are another word")
	}
}

// What stands before a fault is another text, and never returned.
func TestUnquoteReturnsNothingOfAFault(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`ada\ud83d`, `ada\udd14\ud83d`, `ada\x41`, `ada\u12`, `ada\`} {
		if got, ok := Unquote([]byte(raw)); got != "" || ok {
			t.Errorf("Unquote(%q) = %q, %v", raw, got, ok)
		}
	}
}
