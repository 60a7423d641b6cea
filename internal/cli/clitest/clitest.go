// Package clitest is what the tests of the command lines share: golden files, what a
// command left behind, and a server whose every text is hostile.
package clitest

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/client"
)

//nolint:gochecknoglobals // a flag of the test binary
var update = flag.Bool("update", false, "write the golden files")

// Golden compares a text with a file of testdata, or writes it with -update.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; run with -update to accept):\n%s", path, diff)
	}
}

// Result is what a command left behind.
type Result struct {
	Code     int
	Out, Err string
}

// Expect fails unless the code is right and every text is in the output.
func (r Result) Expect(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.Code != code {
		t.Errorf("exit code %d, want %d\n%s%s", r.Code, code, r.Out, r.Err)
	}
	for _, text := range texts {
		if !strings.Contains(r.Out+r.Err, text) {
			t.Errorf("nothing says %q:\n%s%s", text, r.Out, r.Err)
		}
	}
}

// Say answers a request with a value as JSON, a problem as a problem document.
func Say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if p, ok := v.(client.Problem); ok {
		w.Header().Set("Content-Type", "application/problem+json")
		p.Status = status
		v = p
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// File writes a file that lives as long as the test.
func File(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// CommandsOf are the command lines of a program in a text, a line each and indented by four: what somebody is told to type.
func CommandsOf(text, program string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if words, ok := strings.CutPrefix(line, "    "+program+" "); ok {
			out = append(out, strings.TrimSpace(words))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
