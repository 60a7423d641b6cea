package door

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
)

var update = flag.Bool("update", false, "write the golden files")

// TestEveryCodeHasAFile wants a file with the body of every kind of problem that is ever sent, since programs go by them:
// what never changes with the occurrence, and for quotas what they add. A new code has none, and a code that is gone one too
// many. go test -run TestEveryCodeHasAFile -update writes them.
func TestEveryCodeHasAFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("testdata", "problems")
	var want []string
	for _, c := range codes() {
		name := string(c) + ".json"
		want = append(want, name)
		r := Refuse(c, "what is wrong this time")
		if c == CodeQuota {
			r = ofQuota(&push.OverQuotaError{Quota: push.QuotaRecipients, Policy: "day", Of: "tenant acme", Limit: 10, Wanted: 3, Never: true})
		}
		got, err := json.MarshalIndent(r.problem("req-1"), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(path, append(got, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("the problem %s has no file: %v", c, err)
			continue
		}
		if diff := cmp.Diff(strings.TrimSpace(string(file)), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.Contains(want, f.Name()) {
			t.Errorf("%s is of no code that is ever sent", f.Name())
		}
	}
}
