package remote

import (
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
)

// server is how a command reaches the server.
type server struct {
	config.Remote
}

func (s server) connect(con *display.Console) (*client.Client, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return con.Connect("belfry", display.Server{URL: s.API, Key: s.Key.Reveal()})
}

// commandLine renders a command that the reader may run next, against the same
// server.
func (s server) commandLine(format string, args ...any) string {
	line := "belfry " + fmt.Sprintf(format, args...)
	if s.API != config.DefaultAPI {
		line += " --api " + s.API
	}
	return line
}
