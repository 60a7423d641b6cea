package docs

import (
	"os"
	"testing"

	"github.com/belfry-push/belfry/test/programs"
)

// commands are our programs.
var commands programs.Programs

func TestMain(m *testing.M) { os.Exit(commands.Main(m.Run, servers.Stop)) }
