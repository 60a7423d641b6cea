// Package programs runs Belfry's commands as processes, for tests that kill
// them, and asks the simulator among them what it has seen.
package programs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Programs builds the commands once, when the first is started. The zero value
// is ready. Safe for concurrent use.
type Programs struct {
	once sync.Once
	dir  string
	err  error
}

// Remove deletes what was built. Call it when all tests are done.
func (p *Programs) Remove() error {
	p.once.Do(func() {}) // nothing is built from now on
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}

// Main runs a test binary's tests, then stops what they used, in the given order, and
// removes the programs. It returns the exit code.
func (p *Programs) Main(run func() int, stops ...func() error) int {
	code := run()
	for _, stop := range append(stops, p.Remove) {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, "after the tests:", err)
			code = max(code, 1)
		}
	}
	return code
}

// Path returns where a command is.
func (p *Programs) Path(tb testing.TB, program string) string {
	tb.Helper()
	p.once.Do(func() { p.dir, p.err = build() })
	if p.err != nil {
		tb.Fatal(p.err)
	}
	return filepath.Join(p.dir, program)
}

func build() (string, error) {
	dir, err := os.MkdirTemp("", "belfry-programs-")
	if err != nil {
		return "", err
	}
	const module = "github.com/belfry-push/belfry"
	//nolint:gosec // our own directory; without DWARF, which a linker spends most of its time on
	cmd := exec.CommandContext(context.Background(), "go", "build", "-ldflags=-w", "-o", dir+string(filepath.Separator), module+"/cmd/...")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
}

// Command returns a command that is not started yet. Its environment is this
// process's with env behind it.
func (p *Programs) Command(tb testing.TB, program string, env []string, args ...string) *exec.Cmd {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), p.Path(tb, program), args...) //nolint:gosec // what we have built
	cmd.Env = append(os.Environ(), env...)                                 //nolint:forbidigo // a child inherits it
	return cmd
}

// Output runs a command to its end and returns what it printed, or ends the
// test.
func (p *Programs) Output(tb testing.TB, program string, env []string, args ...string) []byte {
	tb.Helper()
	cmd := p.Command(tb, program, env, args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, said.String())
	}
	return out
}

// Process is one of our programs, running.
type Process struct {
	cmd  *exec.Cmd
	said chan string // what followed the marker
	log  *tail
	once sync.Once
	err  error // of the end
	over chan struct{}
}

// Start runs a program, and ends it with the test. With a marker it returns
// when the program's log has a line with it, and the rest of that line.
func (p *Programs) Start(tb testing.TB, marker, program string, env []string, args ...string) (*Process, string) {
	tb.Helper()
	return p.StartOut(tb, nil, marker, program, env, args...)
}

// StartOut is [Programs.Start] of a program whose standard output goes to out; nil is nowhere.
func (p *Programs) StartOut(tb testing.TB, out io.Writer, marker, program string, env []string, args ...string) (*Process, string) {
	tb.Helper()
	r := &Process{said: make(chan string, 1), log: &tail{}, over: make(chan struct{})}
	r.cmd = exec.CommandContext(context.WithoutCancel(tb.Context()), p.Path(tb, program), args...) //nolint:gosec // what we have built
	r.cmd.Env = append(os.Environ(), env...)                                                       //nolint:forbidigo // a child inherits it
	r.cmd.Stdout = out
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go r.read(stderr, marker)
	tb.Cleanup(func() {
		r.Kill()
		if tb.Failed() {
			tb.Logf("the last of %s's log:\n%s", program, r.log)
		}
	})
	if marker == "" {
		return r, ""
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case rest := <-r.said:
		return r, rest
	case <-r.over:
		tb.Fatalf("%s ended at once (%v):\n%s", program, r.err, r.log)
	case <-limit.C:
		tb.Fatalf("%s did not start:\n%s", program, r.log)
	}
	return nil, ""
}

func (r *Process) read(stderr io.Reader, marker string) {
	defer close(r.over)
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	found := marker == ""
	for lines.Scan() {
		r.log.add(lines.Text())
		if _, rest, ok := strings.Cut(lines.Text(), marker); ok && !found {
			found = true
			r.said <- rest
		}
	}
	r.err = r.cmd.Wait()
}

// Find returns what follows the marker in the last lines of the program's log.
func (r *Process) Find(marker string) (string, bool) {
	_, rest, ok := strings.Cut(r.log.String(), marker)
	rest, _, _ = strings.Cut(rest, "\n")
	return rest, ok
}

// Kill is kill -9, and waits for the end. It may be repeated.
func (r *Process) Kill() {
	r.once.Do(func() { _ = r.cmd.Process.Kill() })
	<-r.over
}

// Signal sends a signal to the process.
func (r *Process) Signal(tb testing.TB, s os.Signal) {
	tb.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		tb.Fatal(err)
	}
}

// Log returns the last lines that the program logged.
func (r *Process) Log() string { return r.log.String() }

// Ended returns a channel that is closed when the process is over.
func (r *Process) Ended() <-chan struct{} { return r.over }

// Wait waits for the process to end by itself and returns how it did.
func (r *Process) Wait() error {
	<-r.over
	return r.err
}

// tail keeps the last lines of a log.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (l *tail) add(line string) {
	const most = 40
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	if len(l.lines) > most {
		l.lines = l.lines[1:]
	}
}

// String implements fmt.Stringer.
func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
