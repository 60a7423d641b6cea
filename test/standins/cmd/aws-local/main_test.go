package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-push/belfry/test/standins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunUntilInterrupted(t *testing.T) {
	t.Parallel()
	if err := standins.Available(); err != nil {
		t.Skipf("AWS suites left out: %v", err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, in := io.Pipe()
	code := make(chan int, 1)
	var errs bytes.Buffer // the run's own until its code is known
	go func() {
		defer func() { _ = in.CloseWithError(io.EOF) }()
		code <- run(ctx, []string{"-sqs-port=0", "-dynamodb-port=0", "-s3-port=0"}, in, &errs)
	}()
	exports := map[string]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		exports[name] = value
		if len(exports) == 9 {
			interrupt()
		}
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d, want 0: %s", got, &errs)
	}
	for _, name := range []string{"AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_S3"} {
		if !strings.HasPrefix(exports[name], "http://127.0.0.1:") {
			t.Errorf("%s = %q, want an address on loopback", name, exports[name])
		}
	}
}

func TestCheckStartsNothing(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-check"}, &out, &errs); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if left := strings.Contains(out.String(), "left out"); left != (standins.Available() != nil) || out.Len() == 0 {
		t.Errorf("printed %q, the stand-ins can run here: %v", out.String(), standins.Available() == nil)
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-nonsense"}, &out, &errs); code != 2 || !strings.Contains(errs.String(), "nonsense") {
		t.Errorf("exit code %d and %q, want 2 and the flag's name", code, errs.String())
	}
}
