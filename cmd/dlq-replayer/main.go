// Command dlq-replayer drains dead-letter queues into the dead-letter store and
// gives operators what they need there: groups, inspection, simulation, replay.
package main

import (
	"os"

	"github.com/belfry-push/belfry/internal/cli/replayer"
)

func main() {
	os.Exit(replayer.Main(os.Args[1:], os.Stdout, os.Stderr, os.Stdin))
}
