// Package childtest runs the binary of a test once more, as another process on the
// same data directory. Only tests import it.
package childtest

import (
	"bufio"
	"flag"
	"io"
	"os"
	"os/exec"
	"testing"
)

// Child is another process, which runs TestChild of its package.
type Child struct {
	Cmd *exec.Cmd
	In  io.WriteCloser // its standard input
	Out *bufio.Scanner // the lines of its standard output

	t *testing.T
}

// Spawn starts a child that plays one role of TestChild and is gone by the end
// of the test. Each change is applied to the command before it starts; where the
// system does not allow a changed one, the test is skipped.
func Spawn(t *testing.T, role, dir string, change ...func(*exec.Cmd)) *Child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "--", role, dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(cmd)
	}
	if err := cmd.Start(); err != nil {
		if len(change) > 0 {
			t.Skipf("this system does not let a test have a disk of its own: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &Child{Cmd: cmd, In: in, Out: bufio.NewScanner(out), t: t}
}

// Line is the next line that the child prints.
func (c *Child) Line() string {
	c.t.Helper()
	if !c.Out.Scan() {
		c.t.Fatalf("the child ended early: %v", c.Out.Err())
	}
	return c.Out.Text()
}

// Role returns what Spawn was called with, in the child. In any other process it
// skips the test.
func Role(t *testing.T) (role, dir string) {
	t.Helper()
	if flag.NArg() != 2 {
		t.Skip("only as a child process")
	}
	return flag.Arg(0), flag.Arg(1)
}
