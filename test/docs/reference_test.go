package docs

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/belfry-push/belfry/internal/cli/belfry"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/replayer"
	"github.com/belfry-push/belfry/internal/config"
)

// TestReference wants docs/cli to be what the programs' own command lines say. With
// -update it is written anew.
func TestReference(t *testing.T) {
	t.Parallel()
	service := func(name, about string, settings any) func(io.Writer) error {
		return command.Program{Name: name, About: about, Grammar: settings, Env: config.Environment()}.Reference
	}
	for name, write := range map[string]func(io.Writer) error{
		"belfry": belfry.Reference, "dlq-replayer": replayer.Reference,
		"ingest":     service("ingest", config.AboutIngest, &config.Ingest{}),
		"dispatcher": service("dispatcher", config.AboutDispatcher, &config.Dispatcher{}),
	} {
		var want bytes.Buffer
		want.WriteString("<!-- Written by go test ./test/docs -run TestReference -update -->\n\n")
		if err := write(&want); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, "docs", "cli", name+".md")
		if *update {
			if err := os.WriteFile(path, want.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("docs/cli/%s.md is not what the program says (%v): run go test ./test/docs -run TestReference -update", name, err)
		}
	}
}
