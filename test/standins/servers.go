package standins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/internal/config"
)

// Endpoints are the base URLs of the stand-ins; empty ones leave the SDK's own.
type Endpoints struct {
	SQS, SNS, STS string
	DynamoDB      string
	S3            string
}

// Servers is a set of stand-ins, each started when it is first asked for. The
// zero value is ready. Safe for concurrent use.
type Servers struct {
	fauxqs   shared
	dynalite shared
	objects  shared
	idle     sync.Map // *http.Transport of targets, closed with the set
}

// Main runs a test binary's tests, stops the stand-ins and looks for leaked
// goroutines. It returns the exit code.
func (s *Servers) Main(m *testing.M, opts ...goleak.Option) int {
	code := m.Run()
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the stand-ins:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(opts...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// Start starts all of them, on free ports, for tests that run whole processes.
// With BELFRY_AWS_E2E it starts none and returns no endpoints.
func (s *Servers) Start(tb testing.TB) Endpoints {
	tb.Helper()
	if againstAccount() {
		return Endpoints{}
	}
	e, err := s.Open(tb.Context(), Ports{})
	leaveOut(tb, err)
	return e
}

// Ports are where the stand-ins listen; 0 is any free port.
type Ports struct {
	Fauxqs, Dynalite, S3 int
}

// Open starts all of them. Those that run already stay where they are.
func (s *Servers) Open(ctx context.Context, p Ports) (Endpoints, error) {
	messaging, err := s.fauxqs.open(func() (string, io.Closer, error) { return startNode(ctx, "fauxqs", p.Fauxqs) })
	if err != nil {
		return Endpoints{}, err
	}
	tables, err := s.dynalite.open(func() (string, io.Closer, error) { return startNode(ctx, "dynalite", p.Dynalite) })
	if err != nil {
		return Endpoints{}, err
	}
	objects, err := s.objects.open(func() (string, io.Closer, error) { return startS3(ctx, p.S3) })
	if err != nil {
		return Endpoints{}, err
	}
	return Endpoints{SQS: messaging, SNS: messaging, STS: messaging, DynamoDB: tables, S3: objects}, nil
}

// Stop stops what was started; the zero value is back.
func (s *Servers) Stop() error {
	s.closeIdle()
	return errors.Join(s.fauxqs.close(), s.dynalite.close(), s.objects.close())
}

// Env returns the settings, as NAME=value, that let a process use the stand-ins:
// the standard AWS environment
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
// None for no endpoints.
func (e Endpoints) Env() []string {
	if e == (Endpoints{}) {
		return nil
	}
	return []string{
		"AWS_REGION=" + region,
		"AWS_DEFAULT_REGION=" + region, // what version 1 of the AWS command line reads
		"AWS_ACCESS_KEY_ID=" + accessKey,
		"AWS_SECRET_ACCESS_KEY=" + secretKey,
		"AWS_ENDPOINT_URL_SQS=" + e.SQS,
		"AWS_ENDPOINT_URL_SNS=" + e.SNS,
		"AWS_ENDPOINT_URL_STS=" + e.STS,
		"AWS_ENDPOINT_URL_DYNAMODB=" + e.DynamoDB,
		"AWS_ENDPOINT_URL_S3=" + e.S3,
	}
}

// shared is one stand-in that is started once.
type shared struct {
	mu      sync.Mutex
	url     string
	err     error
	process io.Closer
}

// open starts it unless it runs; a failure is kept, so that a missing npm is
// looked for once and not once a test.
func (s *shared) open(start func() (string, io.Closer, error)) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil && s.err == nil {
		s.url, s.process, s.err = start()
	}
	return s.url, s.err
}

func (s *shared) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	process := s.process
	s.url, s.err, s.process = "", nil, nil
	if process == nil {
		return nil
	}
	return process.Close()
}

// leaveOut ends a test that cannot run because of err.
func leaveOut(tb testing.TB, err error) {
	tb.Helper()
	LeaveOut(tb, "AWS suites", err)
}

// LeaveOut ends a test of what that cannot run because of err: it is skipped, or
// fails where the environment asks for it.
func LeaveOut(tb testing.TB, what string, err error) {
	tb.Helper()
	if err == nil {
		return
	}
	if set(envRequire) {
		tb.Fatalf("%s: required (%s): %v", what, envRequire, err)
		return
	}
	tb.Skipf("%s left out: %v", what, err)
}

func againstAccount() bool { return set(envAccount) }

// set reports whether a switch is on.
func set(name string) bool {
	v, ok := config.Environment()(name)
	return ok && v != "" && v != "0"
}
