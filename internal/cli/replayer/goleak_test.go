package replayer

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// kong wraps help to this; a golden file has one width.
	_ = os.Unsetenv("COLUMNS")
	goleak.VerifyTestMain(m)
}
