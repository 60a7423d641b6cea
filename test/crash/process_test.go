package crash

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

	"github.com/belfry-push/belfry/test/standins"
)

// build compiles the commands once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "belfry-crash-")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-o", dir + string(filepath.Separator), "./cmd/..."}
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

// servers are the stand-ins for AWS.
var servers standins.Servers

func TestMain(m *testing.M) {
	code := m.Run()
	if err := servers.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the stand-ins:", err)
		code = max(code, 1)
	}
	if dir, err := build(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// process is one of our programs, running.
type process struct {
	cmd  *exec.Cmd
	said chan string // a value found in its log
	log  *tail
}

// start runs a program and returns when its log has a line with the marker; the
// rest of that line is returned.
func start(t *testing.T, marker, program string, env []string, args ...string) (*process, string) {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(filepath.Join(dir, program), args...), said: make(chan string, 1), log: &tail{}}
	p.cmd.Env = append(os.Environ(), env...) //nolint:forbidigo // a child inherits it
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stderr, marker)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the last of %s's log:\n%s", program, p.log)
		}
	})
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	select {
	case rest := <-p.said:
		return p, rest
	case <-patience.C:
		t.Fatalf("%s did not start:\n%s", program, p.log)
		return nil, ""
	}
}

func (p *process) read(r io.Reader, marker string) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	found := false
	for lines.Scan() {
		p.log.add(lines.Text())
		if _, rest, ok := strings.Cut(lines.Text(), marker); ok && !found {
			found = true
			p.said <- rest
		}
	}
}

// kill is kill -9, and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
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
