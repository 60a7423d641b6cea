package standins

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startPatience is how long a stand-in may take to listen, on a busy machine.
const startPatience = time.Minute

// node is a running stand-in.
type node struct {
	kill  context.CancelFunc
	cmd   *exec.Cmd
	stdin io.Closer
}

// startNode installs the stand-ins if need be and starts one on loopback; it
// returns when it listens. ctx bounds the start only.
func startNode(ctx context.Context, name string, port int) (url string, running io.Closer, err error) {
	dir, err := install(ctx)
	if err != nil {
		return "", nil, err
	}
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	var complaint bytes.Buffer
	cmd := exec.CommandContext(life, "node", filepath.Join(dir, "serve.mjs"), name, strconv.Itoa(port)) //nolint:gosec // our own script
	cmd.Stderr = &complaint
	cmd.WaitDelay = time.Second // its pipes are closed then, whoever holds them
	stdin, err := cmd.StdinPipe()
	if err != nil {
		kill()
		return "", nil, fmt.Errorf("start %s: %w", name, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		kill()
		return "", nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		kill()
		return "", nil, fmt.Errorf("start %s: %w", name, err)
	}
	late := time.AfterFunc(startPatience, kill)
	stopped := context.AfterFunc(ctx, kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	inTime, wanted := late.Stop(), stopped()
	switch {
	case !wanted:
		err = context.Cause(ctx)
	case !inTime:
		err = fmt.Errorf("not listening after %v", startPatience)
	}
	if err != nil {
		kill()
		_ = cmd.Wait() // killed
		return "", nil, fmt.Errorf("start %s: %w: %s", name, err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSpace(line), &node{kill: kill, cmd: cmd, stdin: stdin}, nil
}

// Close stops the process and waits for its end. All its state is in memory, so
// it is killed.
func (n *node) Close() error {
	_ = n.stdin.Close()
	n.kill()
	err := n.cmd.Wait()
	if _, killed := errors.AsType[*exec.ExitError](err); killed || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
