package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// programs are what is built, by name.
func programs() []string { return []string{"belfry", "dispatcher", "dlq-replayer", "ingest"} }

// identify asks git which commit this is, what its tag is, and when it was made.
func (r *release) identify(ctx context.Context) error {
	said, err := r.git(ctx, "log", "-1", "--format=%H %ct")
	if err != nil {
		return err
	}
	hash, at, _ := strings.Cut(said, " ")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return fmt.Errorf("the time of the commit: %w", err)
	}
	r.revision, r.when = hash, time.Unix(seconds, 0).UTC()
	changed, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		r.revision += "-dirty"
	}
	if r.version == "" {
		if r.version, err = r.git(ctx, "describe", "--tags", "--exact-match", "--match", "v[0-9]*"); err != nil {
			const short = 12 // as Go has it in versions of commits without a tag
			r.version = "v0.0.0-" + r.when.Format("20060102150405") + "-" + hash[:min(short, len(hash))]
		}
	}
	if !versionForm.MatchString(r.version) {
		return fmt.Errorf("%q is no version, such as v1.2.3 or v1.2.3-rc.1", r.version)
	}
	return nil
}

var versionForm = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func (r *release) git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", r.source}, args...)...).Output() //nolint:gosec // our own words
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], withStderr(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// build compiles the programs for a platform into the folder bin of dir. No C, no path of this machine, no symbol table, and of
// the environment only where Go keeps its caches and gets its modules.
func (r *release) build(ctx context.Context, system, arch, dir string) error {
	bin, err := filepath.Abs(filepath.Join(dir, "bin"))
	if err == nil {
		err = os.MkdirAll(bin, dirMode)
	}
	if err != nil {
		return fmt.Errorf("the folder for the programs: %w", err)
	}
	const telemetry = "github.com/belfry-push/belfry/internal/telemetry"
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", //nolint:gosec // our own words
		"-ldflags", fmt.Sprintf("-s -w -X %s.version=%s -X %s.revision=%s", telemetry, r.version, telemetry, r.revision),
		"-o", bin+string(filepath.Separator), "./cmd/...")
	cmd.Dir = r.source
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch, "GOFLAGS=-mod=readonly", "GOEXPERIMENT=",
		"GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build for %s/%s: %w\n%s", system, arch, err, out)
	}
	return nil
}

// materials writes the bill of materials: the modules that belfry is made of, which contains all that the other programs do. It
// is read from the program itself, as the linker recorded it.
func (r *release) materials(ctx context.Context, platform string) error {
	if r.cyclonedx == "" {
		return nil
	}
	out := filepath.Join(r.out, fmt.Sprintf("belfry_%s_sbom.cdx.json", r.number()))
	cmd := exec.CommandContext(ctx, r.cyclonedx, "bin", "-json", "-noserial", "-std", //nolint:gosec // the caller's tool
		"-version", r.version, "-output", out, filepath.Join(r.stage(platform), "bin", "belfry"))
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cyclonedx-gomod: %w\n%s", err, said)
	}
	return r.settleMaterials(out)
}

// withStderr is an error of a command with what it said.
func withStderr(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
