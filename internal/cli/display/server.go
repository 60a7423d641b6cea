package display

import (
	"fmt"
	"sync"

	"golang.org/x/mod/semver"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/telemetry"
	"github.com/belfry-push/belfry/internal/visible"
)

// Server is what a command asks.
type Server struct {
	URL string
	Key string // "" for none
}

// Connect returns a client of a server, for a program with that name. It says
// once on standard error if the server is of another version, and its errors are
// told as those of that server.
func (c *Console) Connect(program string, s Server) (*client.Client, error) {
	c.server = &s
	var once sync.Once
	api, err := client.New(s.URL, s.Key, client.WithUserAgent(program+"/"+telemetry.Version()),
		client.WithServerVersion(func(theirs string) {
			if ours := telemetry.Version(); differ(ours, theirs) {
				once.Do(func() {
					_, _ = fmt.Fprintf(c.Err, "%s: the server at %s is Belfry %s and this program is %s: what one of them has, the other may not "+
						"know; use the %s of the server's version\n", program, s.URL, visible.Field(theirs), ours, program)
				})
			}
		}))
	if err != nil {
		return nil, Usagef("%s", err.Error())
	}
	return api, nil
}

// differ reports whether two versions are so far apart that somebody should know.
// Releases with the same major and minor number understand each other; builds
// without one are compared as they are.
func differ(ours, theirs string) bool {
	a, b := semver.MajorMinor(ours), semver.MajorMinor(theirs)
	if a != "" && b != "" && a != "v0.0" {
		return a != b
	}
	return ours != theirs
}
