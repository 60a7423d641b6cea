package metrics

import (
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

func TestMain(m *testing.M) { os.Exit(commands.Main(m.Run, servers.Stop)) }
