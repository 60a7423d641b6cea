package client_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeSamples wants every Go sample of the README to stand, line by line,
// in an Example of this package, which is compiled and run: a sample that is out
// of date fails here.
func TestReadmeSamples(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	const least = 2
	samples := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1)
	if len(samples) < least {
		t.Fatalf("the README has %d Go samples, it had %d", len(samples), least)
	}
	var bodies []string
	for _, f := range regexp.MustCompile(`(?ms)^func Example\w*\(\) \{\n(.*?)^\}$`).FindAllStringSubmatch(string(source), -1) {
		bodies = append(bodies, "\n"+strings.ReplaceAll(f[1], "\n\t", "\n"))
	}
	for _, s := range samples {
		if !standsIn(bodies, "\n"+s[1]) {
			t.Errorf("no Example has these lines of the README:\n%s", s[1])
		}
	}
}

// standsIn tells whether one of the bodies has the sample, whole lines of it.
func standsIn(bodies []string, sample string) bool {
	for _, b := range bodies {
		if strings.Contains(b, sample) {
			return true
		}
	}
	return false
}

// A sample that says anything else than an Example is noticed.
func TestReadmeSamplesCanDrift(t *testing.T) {
	t.Parallel()
	bodies := []string{"\na := 1\nb := 2\n"}
	for sample, want := range map[string]bool{"\nb := 2\n": true, "\na := 1\nb := 2\n": true, "\nb := 3\n": false, "\n:= 2\n": false, "\nb := 2 // and more\n": false} {
		if standsIn(bodies, sample) != want {
			t.Errorf("%q: want %v", sample, want)
		}
	}
}
