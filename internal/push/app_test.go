package push

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"shop": true, "0": true, "shop-2": true, "a-": true, strings.Repeat("a", MaxName): true,
		"": false, "-shop": false, "Shop": false, "a/b": false, "a b": false, "é": false, "a\x00": false, "..": false,
		strings.Repeat("a", MaxName+1): false,
	} {
		if why := CheckName(name); (why == "") != good {
			t.Errorf("%q: %q", name, why)
		}
	}
	if AppName("") != DefaultApp || AppName("shop") != "shop" {
		t.Error("\"\" is not the default app")
	}
}
