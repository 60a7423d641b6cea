package cost

import (
	"os"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
	"github.com/belfry-push/belfry/test/standins"
)

var (
	commands programs.Programs
	servers  standins.Servers
)

func TestMain(m *testing.M) { os.Exit(commands.Main(func() int { return servers.Main(m) })) }
