package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const percents = `	github.com/belfry-push/belfry/internal/wire		coverage: 83.2% of statements
	github.com/belfry-push/belfry/internal/push		coverage: 91.9% of statements
	github.com/belfry-push/belfry/internal/worker/workertest		coverage: 12.0% of statements
`

func TestFloors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, floors, want string
	}{
		{"above", "internal/push 91\ninternal/wire 83\n", ""},
		{"below", "internal/push 92\ninternal/wire 83\n", "internal/push is covered to 91.9 %, its floor is 92 %"},
		{"new package", "internal/push 90\n", "internal/wire has no floor"},
		{"package that is gone", "internal/gone 10\ninternal/push 1\ninternal/wire 1\n", "internal/gone has a floor and no coverage"},
		{"no number", "internal/push ninety\n", `"ninety" is no floor`},
		{"too much", "internal/push 1 2\n", "is not a package and its floor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "floors.txt")
			write(t, file, c.floors)
			err := run(file, false, strings.NewReader(percents), &strings.Builder{})
			if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, cmp.Or(c.want, "<nil>")) {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestRaise(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "floors.txt")
	write(t, file, "internal/gone 10\ninternal/push 91\n")
	if err := run(file, true, strings.NewReader(percents), &strings.Builder{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "internal/push 91\ninternal/wire 81\n"; string(text) != want {
		t.Errorf("got %q, want %q: no floor becomes lower", text, want)
	}
}

func TestNothingCovered(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "floors.txt")
	for in, want := range map[string]string{
		"error: no input\n":  "nothing to compare",
		"x coverage: much\n": "is no line of",
	} {
		if err := run(file, false, strings.NewReader(in), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", in, err, want)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
