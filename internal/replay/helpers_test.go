package replay

import (
	"time"

	"github.com/belfry-push/belfry/internal/worker"
)

// at returns a time n minutes after the tests' epoch.
func at(n int) time.Time {
	return time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
}

func outgoing(body string) worker.Outgoing { return worker.Outgoing{Body: []byte(body), Group: "acme"} }
