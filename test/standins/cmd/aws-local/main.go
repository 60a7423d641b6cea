// Command aws-local runs the stand-ins for AWS on fixed loopback ports until it
// is interrupted, and prints the environment that points Belfry and the AWS
// command line at them. It keeps nothing: every start is an empty account.
//
//	go run ./test/standins/cmd/aws-local
//	go run ./test/standins/cmd/aws-local -check   # say which tests need them, and whether they can run
//	go run ./test/standins/cmd/aws-local COMMAND  # run it with them, on free ports, and stop
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/belfry-push/belfry/test/standins"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 for bad flags, 1 for any other failure.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("aws-local", flag.ContinueOnError)
	flags.SetOutput(errs)
	var ports standins.Ports
	flags.IntVar(&ports.Fauxqs, "sqs-port", 4566, "port of SQS, SNS and STS (fauxqs)")
	flags.IntVar(&ports.Dynalite, "dynamodb-port", 4567, "port of DynamoDB (dynalite)")
	flags.IntVar(&ports.S3, "s3-port", 4568, "port of S3 (gofakes3)")
	check := flags.Bool("check", false, "only say which suites need the stand-ins and whether these can run here")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *check {
		if err := standins.Available(); err != nil {
			_, _ = fmt.Fprintln(out, "AWS suites and checks of the API's document left out:", err)
			return 0
		}
		_, _ = fmt.Fprintln(out,
			"AWS suites run with the others, on fauxqs, dynalite and gofakes3: internal/adapter/{sqs,sns,dynamo,s3}, internal/provision, "+
				"internal/doctor, test/cost, test/crash, test/docs, test/examples, test/heal, test/outage, test/replay, test/upgrade")
		return 0
	}
	if flags.NArg() > 0 {
		return with(ctx, flags.Args(), out, errs)
	}
	var servers standins.Servers
	endpoints, err := servers.Open(ctx, ports)
	if err == nil {
		for _, setting := range endpoints.Env() {
			_, _ = fmt.Fprintln(out, "export", setting)
		}
		_, _ = fmt.Fprintln(errs, "stand-ins for AWS are running; Ctrl-C stops them")
		<-ctx.Done()
	}
	if stopErr := servers.Stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, "aws-local:", err)
		return 1
	}
	return 0
}

// with runs a command in the environment of stand-ins of its own and returns
// its exit code.
func with(ctx context.Context, command []string, out, errs io.Writer) int {
	var servers standins.Servers
	endpoints, err := servers.Open(ctx, standins.Ports{})
	code := 1
	if err == nil {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the caller's own command
		cmd.Env = append(os.Environ(), endpoints.Env()...)          //nolint:forbidigo // the command's is ours and more
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, out, errs
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		err = cmd.Run()
		code = cmd.ProcessState.ExitCode()
		if _, exited := errors.AsType[*exec.ExitError](err); exited {
			err = nil // its own output said why
		}
	}
	if err := errors.Join(err, servers.Stop()); err != nil {
		_, _ = fmt.Fprintln(errs, "aws-local:", err)
		return 1
	}
	return code
}
