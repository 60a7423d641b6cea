package arch

import (
	"testing"
)

// TestModule holds every package of the module against the table.
func TestModule(t *testing.T) {
	t.Parallel()

	rules := table()
	found := false
	for _, l := range listPackages(t) {
		p := l.pkg(t)
		found = found || p.name == "internal/arch"
		for _, fault := range check(rules, p) {
			t.Error(fault)
		}
	}
	if !found {
		t.Error("go list did not name this very package: nothing was checked")
	}
}
