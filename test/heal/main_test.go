package heal

import (
	"fmt"
	"os"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/standins"
)

// commands are our programs; servers are the stand-ins for AWS.
var (
	commands programs.Programs
	servers  standins.Servers
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := servers.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the stand-ins:", err)
		code = max(code, 1)
	}
	if err := commands.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, "removing the programs:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}
