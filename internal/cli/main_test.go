package cli

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/doctor"
	"github.com/belfry-push/belfry/internal/provision"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	// kong wraps help to this; a golden file has one width.
	_ = os.Unsetenv("COLUMNS")
	goleak.VerifyTestMain(m)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; run with -update to accept):\n%s", path, diff)
	}
}

// result is what a command left behind.
type result struct {
	code     int
	out, err string
}

// belfry runs a command line with an environment that knows only the server.
func belfry(ctx context.Context, api string, in io.Reader, args ...string) result {
	var out, errs bytes.Buffer
	env := map[string]string{"BELFRY_API": api, "BELFRY_API_KEY": "key-1"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	code := run(ctx, args, lookup, &services{}, &console{in: in, out: &out, err: &errs})
	clean := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	return result{code: code, out: clean.ReplaceAllString(out.String(), "URL"), err: clean.ReplaceAllString(errs.String(), "URL")}
}

// expect fails unless the code is right and every text is in the output.
func (r result) expect(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.out+r.err, text) {
			t.Errorf("nothing says %q:\n%s%s", text, r.out, r.err)
		}
	}
}

// services remembers what it was asked to run.
type services struct {
	ran    any
	err    error
	plan   provision.Plan
	report doctor.Report
}

func (s *services) Provision(_ context.Context, c config.Provision) (provision.Plan, error) {
	s.ran = c
	return s.plan, s.err
}

func (s *services) Doctor(_ context.Context, c config.Doctor) doctor.Report {
	s.ran = c
	return s.report
}

func (s *services) Up(_ context.Context, c config.Up) error       { s.ran = c; return s.err }
func (s *services) Sim(_ context.Context, c config.Sim) error     { s.ran = c; return s.err }
func (s *services) Demo(_ context.Context, c config.Demo) error   { s.ran = c; return s.err }
func (s *services) Bench(_ context.Context, c config.Bench) error { s.ran = c; return s.err }
