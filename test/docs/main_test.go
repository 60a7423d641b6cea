package docs

import (
	"fmt"
	"os"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
)

// commands are our programs.
var commands programs.Programs

func TestMain(m *testing.M) {
	code := m.Run()
	if err := commands.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, "removing the programs:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}
