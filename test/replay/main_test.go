package replay

import (
	"fmt"
	"os"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/standins"
)

var (
	commands programs.Programs // ours, for the tests that run whole processes
	servers  standins.Servers  // the stand-ins for AWS
)

func TestMain(m *testing.M) {
	code := servers.Main(m)
	if err := commands.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, "removing the programs:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}
