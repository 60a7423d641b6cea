package replay

import (
	"os"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/standins"
)

var (
	commands programs.Programs // ours, for the tests that run whole processes
	servers  standins.Servers  // the stand-ins for AWS
)

func TestMain(m *testing.M) { os.Exit(commands.Main(func() int { return servers.Main(m) })) }
