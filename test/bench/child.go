package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// family are the processes of the benchmark, this one included.
type family struct {
	running []*child
	env     []string
}

// newFamily gives children the environment of this process without settings of Belfry's, and a root certificate that
// they trust beside no other.
func newFamily(cert string) *family {
	f := &family{}
	for _, v := range os.Environ() { //nolint:forbidigo // children inherit it
		if !strings.HasPrefix(v, "BELFRY_") && !strings.HasPrefix(v, "SSL_CERT_") && !strings.HasPrefix(v, "OTEL_") {
			f.env = append(f.env, v)
		}
	}
	f.env = append(f.env, "SSL_CERT_FILE="+cert, "SSL_CERT_DIR="+filepath.Dir(cert))
	return f
}

// used is the processor time of all of them.
func (f *family) used() ticks {
	total := processTicks(os.Getpid()) // with those that have ended
	for _, c := range f.running {
		total += processTicks(c.cmd.Process.Pid)
	}
	return total
}

// end ends whatever still runs, the last one first.
func (f *family) end() {
	for _, c := range slices.Backward(slices.Clone(f.running)) {
		c.stop()
	}
}

// child is a process of ours.
type child struct {
	of    *family
	cmd   *exec.Cmd
	stdin io.Closer
	said  string // what it was waited for
}

// start starts a program and returns once a line that it prints matches; the pattern's first group is what it said.
func (f *family) start(ctx context.Context, pattern, program string, args ...string) (*child, error) {
	c := &child{of: f, cmd: exec.CommandContext(ctx, program, args...)} //nolint:gosec // a program of ours
	c.cmd.Env = f.env
	prints, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stderr = c.cmd.Stdout
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	f.running = append(f.running, c)
	matches, last := regexp.MustCompile(pattern), ""
	for lines := bufio.NewScanner(prints); lines.Scan(); {
		last = lines.Text()
		if m := matches.FindStringSubmatch(last); m != nil {
			c.said = m[1]
			go func() { _, _ = io.Copy(io.Discard, prints) }()
			return c, nil
		}
	}
	c.stop()
	return nil, fmt.Errorf("bench: %s ended without what it was started for; its last words: %s", filepath.Base(program), last)
}

// stop lets the program finish its work, and returns the processor time that it has used in all.
func (c *child) stop() time.Duration {
	c.of.running = slices.DeleteFunc(c.of.running, func(other *child) bool { return other == c })
	_ = c.stdin.Close()
	_ = c.cmd.Process.Signal(os.Interrupt)
	_ = c.cmd.Wait() // it may well say that it was interrupted
	return c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
}
