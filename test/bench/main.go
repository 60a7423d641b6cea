package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	plan

	as     string // contender or stand-in that this process is
	url    string // of the stand-in
	cert   string // file for the stand-in's certificate
	from   string
	out    string
	update string
	check  string
	commit string

	telemetry bool
	listeners bool

	growth  bool
	scale   float64
	largest int
	img     string
}

func parse(args []string, errs io.Writer) (options, error) {
	o := options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.IntVar(&o.Recipients, "n", 100_000, "notifications that each contender sends in a `round`")
	f.IntVar(&o.Rounds, "rounds", 5, "number of rounds")
	f.IntVar(&o.InFlight, "inflight", 1000, "requests under way at a time, but for the pipeline's, whose lanes have as many")
	f.DurationVar(&o.Latency, "latency", 50*time.Millisecond, "median time that the stand-in takes to answer")
	f.StringVar(&o.bin, "bin", "bin", "`folder` of ingest and dispatcher, which make build fills")
	f.StringVar(&o.out, "o", "", "also write the results as JSON to a `file`; json prints them in place of the table")
	f.StringVar(&o.from, "from", "", "measure nothing, and take the results from a `file` that -o has written")
	f.StringVar(&o.update, "update", "", "write the table into a `document`, between its marks")
	f.StringVar(&o.check, "check", "", "compare the ratios with those in a `file`, and fail if they are worse")
	f.StringVar(&o.commit, "commit", "", "write the ratios into a `file`, for -check")
	f.BoolVar(&o.growth, "growth", false, "measure how cost grows with size, in place of the comparison")
	f.BoolVar(&o.telemetry, "telemetry", false, "measure what traces and metrics cost, in place of the comparison")
	f.BoolVar(&o.listeners, "listeners", false, "measure what 50 who follow events cost, in place of the comparison")
	f.Float64Var(&o.scale, "scale", 1, "recipients and devices of -growth, as a `share` of the usual numbers")
	f.IntVar(&o.largest, "largest", 1_000_000, "largest backlog of -growth, before -scale, up to 10000000")
	f.StringVar(&o.img, "img", "", "`folder` for the pictures of -growth")
	f.StringVar(&o.as, "as", "", "be a contender or the stand-in; for this program's own use")
	f.StringVar(&o.url, "url", "", "the stand-in's URL; for -as")
	f.StringVar(&o.cert, "cert", "", "`file` that the stand-in writes its certificate to; for -as")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.scale <= 0 || o.scale > 1 {
		return o, errors.New("bench: -scale must be above 0, at most 1")
	}
	if f.NArg() > 0 || o.Recipients < 1 || o.Rounds < 1 || o.InFlight < 1 || o.Latency < 0 {
		return o, errors.New("bench: -n, -rounds and -inflight must be at least 1, -latency 0 or more, and nothing may follow")
	}
	return o, nil
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	o, err := parse(args, errs)
	switch {
	case err != nil:
		return err
	case o.as == standInName:
		return standIn(o.cert, o.Latency, os.Stdin, out)
	case o.as != "":
		return contend(ctx, o, out)
	case o.growth:
		return o.runGrowth(ctx, out, errs)
	case o.telemetry:
		return o.runTelemetry(ctx, out, errs)
	case o.listeners:
		return o.runListeners(ctx, out, errs)
	}
	if o.check != "" && o.check != o.commit && o.from == "" { // what is wrong with the file must not show after ten minutes only
		c, err := readCommitted(o.check)
		if err == nil {
			err = c.comparable(o.check, o.plan)
		}
		if err != nil {
			return err
		}
	}
	r, err := results(ctx, o, errs)
	if err != nil {
		return err
	}
	return o.report(r, out)
}

func results(ctx context.Context, o options, errs io.Writer) (Results, error) {
	if o.from == "" {
		return measure(ctx, o.plan, errs)
	}
	var r Results
	err := readJSON(o.from, &r)
	return r, err
}

// report prints, writes and compares what was measured.
func (o options) report(r Results, out io.Writer) error {
	r.summarize()
	var err error
	switch o.out {
	case "json":
		err = printJSON(out, r)
	case "":
		_, err = io.WriteString(out, r.table())
	default:
		_, err = io.WriteString(out, r.table())
		err = errors.Join(err, writeJSON(o.out, r))
	}
	if o.update != "" {
		err = errors.Join(err, update(o.update, r.table()))
	}
	if o.commit != "" {
		err = errors.Join(err, writeJSON(o.commit, r.committed()))
	}
	if o.check != "" {
		err = errors.Join(err, check(o.check, r, out))
	}
	return err
}

func readJSON(file string, to any) error {
	data, err := os.ReadFile(file) //nolint:gosec // the user named it
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("bench: %s: %w", file, err)
	}
	return nil
}

func writeJSON(file string, v any) error {
	f, err := os.Create(file) //nolint:gosec // the user named it
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return errors.Join(printJSON(f, v), f.Close())
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
