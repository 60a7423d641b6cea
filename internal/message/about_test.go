package message

import "testing"

// Every field that a sender may set says what it means, and no description is left
// over from a field that has gone.
func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	var walk func(of *Type)
	walk = func(of *Type) {
		for _, f := range of.Fields {
			if f.About() == "" && !f.Target && !f.OutputOnly {
				t.Errorf("%s.%s has no description", of.Short(), f.Name)
			}
			used[f.About()] = true
			if f.Of != nil {
				walk(f.Of)
			}
		}
	}
	walk(Described())
	for name, text := range abouts() {
		if !used[text] {
			t.Errorf("nothing is described by %q", name)
		}
	}
}
