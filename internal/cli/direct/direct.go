// Package direct is how a command reaches either a running server or, without one, a data directory or the backend on AWS
// itself, as the local user: the same API, served inside the process.
package direct

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/deadletters"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// Source is where a command finds what it shows.
type Source struct {
	Access config.LettersAccess `embed:""`
	Store  config.Store         `embed:""`
}

// Validate reports what is wrong with the settings.
func (s Source) Validate() error { return s.Access.Check(s.Store) }

// With opens the API, of a server or of this process, for one piece of work.
func (s Source) With(ctx context.Context, con *display.Console, f func(*client.Client) error) error {
	if s.Access.API != "" {
		c, err := con.Connect("belfry", display.Server{URL: s.Access.API, Key: s.Access.Key.Reveal()})
		if err != nil {
			return err
		}
		return f(c)
	}
	if info, err := os.Stat(s.Store.Data); s.Store.Backend == config.BackendEmbedded && (err != nil || !info.IsDir()) {
		return display.Usagef(
			"--data: there is no directory %s; name the one of the service with BELFRY_DATA or --data, or its server with --api", s.Store.Data)
	}
	direct, err := deadletters.OpenDirect(ctx, s.Store, app.LocalUser("belfry"), zap.NewNop())
	if err != nil {
		return err
	}
	once := client.Retry{Attempts: 1} // there is no network that could fail
	c, err := client.New(deadletters.DirectURL, "", client.WithUserAgent("belfry/"+telemetry.Version()),
		client.WithHTTPClient(direct.HTTP()), client.WithRetry(once))
	if err == nil {
		err = f(c)
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		err = p // whoever works on the backend directly has never heard of its paths
	}
	if unrecorded := direct.Close(context.WithoutCancel(ctx)); unrecorded != nil {
		_, _ = fmt.Fprintf(con.Err, "belfry: what was read is not in the audit log: %v\n", unrecorded) // what was read is shown all the same
	}
	return err
}
