package remote

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// belfry runs a command line of these commands with an environment that knows
// only the server.
func belfry(ctx context.Context, api string, in io.Reader, args ...string) clitest.Result {
	return answered(ctx, api, display.Console{In: in}, args...)
}

// answered does the same with somebody at a console.
func answered(ctx context.Context, api string, con display.Console, args ...string) clitest.Result {
	return withKey(ctx, api, "key-1", con, args...)
}

// withKey does the same with a key of another server; empty is none.
func withKey(ctx context.Context, api, key string, con display.Console, args ...string) clitest.Result {
	var out, errs bytes.Buffer
	env := map[string]string{"BELFRY_API": api, "BELFRY_API_KEY": key}
	p := command.Program{
		Name: "belfry", Grammar: &struct {
			Commands Commands `embed:""`
		}{},
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
	con.Out, con.Err = &out, &errs
	if con.Now == nil {
		con.Now = func() time.Time { return time.Date(2026, 11, 1, 13, 0, 0, 0, time.UTC) }
	}
	code := p.Run(ctx, args, &con)
	clean := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	return clitest.Result{Code: code, Out: clean.ReplaceAllString(out.String(), "URL"), Err: clean.ReplaceAllString(errs.String(), "URL")}
}
