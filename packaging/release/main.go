// Command release builds what a release of Belfry consists of: archives, packages of Debian and Red Hat, a file of
// checksums, a bill of materials, a Homebrew formula, install.sh, and the root of the container image.
//
//	go run ./packaging/release -out dist
//
// The same commit, Go and tools give the same bytes, on any machine: nothing of what it writes says where, when or by
// whom it was built. The time in archives is that of the commit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 2 for bad flags, 1 for any other failure.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	var r release
	platforms := "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64"
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&r.source, "source", ".", "the checkout")
	flags.StringVar(&r.out, "out", "dist", "where to put it; what is there is removed")
	flags.StringVar(&r.version, "version", "",
		"such as v1.2.3; default: the tag of the commit, else a version of Go's for a commit without one")
	flags.StringVar(&platforms, "platforms", platforms, "what to build for")
	flags.StringVar(&r.nfpm, "nfpm", "", "nfpm, which makes the packages; without it there are none")
	flags.StringVar(&r.cyclonedx, "cyclonedx", "", "cyclonedx-gomod, which writes the bill of materials; without it there is none")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	err := r.prepare(ctx)
	for p := range strings.SplitSeq(platforms, ",") {
		if err == nil {
			_, _ = fmt.Fprintf(errs, "building %s for %s\n", r.version, p)
			err = r.platform(ctx, p)
		}
	}
	if err == nil {
		err = r.finish(ctx, strings.Split(platforms, ",")[0])
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, "release:", err)
		return 1
	}
	_, _ = fmt.Fprintf(out, "%s in %s:\n%s", r.version, r.out, r.sums)
	return 0
}

const exitUsage = 2

// release is what is being made.
type release struct {
	source, out     string
	version         string // with the v
	revision        string // the commit, with -dirty behind it if the work tree is not it
	when            time.Time
	nfpm, cyclonedx string
	sums            string // of what was made, when it is finished
}

// number is the version as files and packages have it: without the v.
func (r *release) number() string { return strings.TrimPrefix(r.version, "v") }

// stage is where what goes into archives is collected. It stays, for the image is made of it.
func (r *release) stage(platform string) string {
	return filepath.Join(r.out, "stage", strings.ReplaceAll(platform, "/", "_"))
}

// prepare finds out what is to be built, and writes what is the same for all platforms.
func (r *release) prepare(ctx context.Context) error {
	if err := r.identify(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(r.out); err != nil {
		return fmt.Errorf("remove what was there: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(r.out, "stage"), dirMode); err != nil {
		return fmt.Errorf("make %s: %w", r.out, err)
	}
	return errors.Join(writePages(filepath.Join(r.out, "stage", "share"), r),
		writeImageRoot(ctx, filepath.Join(r.out, "stage", "image")),
		os.MkdirAll(filepath.Join(r.out, "stage", "data"), dirMode))
}

// platform builds the programs for one, and packs them.
func (r *release) platform(ctx context.Context, platform string) error {
	system, arch, ok := strings.Cut(platform, "/")
	if !ok || system == "" || arch == "" {
		return fmt.Errorf("%q is no platform, such as linux/amd64", platform)
	}
	stage := r.stage(platform)
	if err := r.build(ctx, system, arch, stage); err != nil {
		return err
	}
	files, err := r.contents(system, stage)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("belfry_%s_%s_%s", r.number(), system, arch)
	if err := writeArchive(filepath.Join(r.out, name+".tar.gz"), name, files, r.when); err != nil {
		return err
	}
	if system != "linux" || r.nfpm == "" {
		return nil
	}
	return r.packages(ctx, arch)
}

// finish writes what is about all that was built.
func (r *release) finish(ctx context.Context, platform string) error {
	if err := r.materials(ctx, platform); err != nil {
		return err
	}
	script, err := os.ReadFile(filepath.Join(r.source, "packaging", "install.sh"))
	if err == nil {
		err = os.WriteFile(filepath.Join(r.out, "install.sh"), script, programMode) //nolint:gosec // the caller's folder
	}
	if err != nil {
		return fmt.Errorf("install.sh: %w", err)
	}
	archives, err := checksums(r.out, "belfry_*.tar.gz")
	if err != nil {
		return err
	}
	if err := r.formula(archives); err != nil {
		return err
	}
	all, err := checksums(r.out, "*.*")
	if err != nil {
		return err
	}
	r.sums = all.String()
	if err := os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(r.sums), fileMode); err != nil {
		return fmt.Errorf("write the checksums: %w", err)
	}
	return nil
}
