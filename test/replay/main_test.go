package replay

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/test/programs"
)

// commands are our programs, for the tests that run whole processes.
var commands programs.Programs

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := commands.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, "removing the programs:", err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}
