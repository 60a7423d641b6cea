package cli

import (
	"fmt"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// server is how a command reaches the server.
type server struct {
	config.Remote
}

func (s server) connect() (*client.Client, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	c, err := client.New(s.API, s.Key.Reveal(), client.WithUserAgent("belfry/"+telemetry.Version()))
	if err != nil {
		return nil, usageError{err.Error()}
	}
	return c, nil
}

// output chooses how results are printed.
type output struct {
	Format string `name:"output" short:"o" default:"table" enum:"table,json" group:"other" help:"table or json."`
}

func (o output) json() bool { return o.Format == "json" }

// commandLine renders a command that the reader may run next, against the same
// server.
func (s server) commandLine(format string, args ...any) string {
	line := "belfry " + fmt.Sprintf(format, args...)
	if s.API != "http://127.0.0.1:8080" {
		line += " --api " + s.API
	}
	return line
}
