package belfry

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/app/allinone"
	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/cli/operate"
	"github.com/belfry-push/belfry/internal/config"
)

func TestMain(m *testing.M) {
	// kong wraps help to this; a golden file has one width.
	_ = os.Unsetenv("COLUMNS")
	goleak.VerifyTestMain(m)
}

// belfry runs a command line with an environment that knows only the server.
func belfry(ctx context.Context, api string, in io.Reader, args ...string) clitest.Result {
	var out, errs bytes.Buffer
	env := map[string]string{"BELFRY_API": api, "BELFRY_API_KEY": "key-1"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	code := program(lookup, &services{}).Run(ctx, args, &display.Console{In: in, Out: &out, Err: &errs})
	clean := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	return clitest.Result{Code: code, Out: clean.ReplaceAllString(out.String(), "URL"), Err: clean.ReplaceAllString(errs.String(), "URL")}
}

// services remembers what it was asked to run.
type services struct {
	operate.Services

	ran     any
	err     error
	listens allinone.Addresses
}

func (s *services) Up(_ context.Context, c config.Up, ready func(allinone.Addresses)) error {
	s.ran = c
	ready(s.listens)
	return s.err
}
func (s *services) Sim(_ context.Context, c config.Sim) error     { s.ran = c; return s.err }
func (s *services) Demo(_ context.Context, c config.Demo) error   { s.ran = c; return s.err }
func (s *services) Bench(_ context.Context, c config.Bench) error { s.ran = c; return s.err }
