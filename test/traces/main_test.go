package traces

import (
	"os"
	"testing"

	"github.com/belfry-push/belfry/test/standins"
)

// servers are the stand-ins for AWS.
var servers standins.Servers

func TestMain(m *testing.M) {
	_ = os.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20") // milliseconds, of 5000: nobody waits for a batch
	os.Exit(servers.Main(m))
}
