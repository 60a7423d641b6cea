package app

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/belfry-push/belfry/internal/config"
)

// lines hands over each line that is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// One signal makes a running program log at debug, the next takes it back, and each is told.
func TestSignalSwitchesTheLevel(t *testing.T) { //nolint:paralleltest // a signal is for the whole process
	said := make(lines, 4)
	log, closeLog, err := OpenLog(config.Log{Level: "warn", Format: "json"}, said)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog()
	log.Debug("not this")
	for _, want := range []string{`"from":"warn","to":"debug"`, `"from":"debug","to":"warn"`} {
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if got := <-said; !strings.Contains(got, want) {
			t.Errorf("wrote %q, want %s", got, want)
		}
	}
}
