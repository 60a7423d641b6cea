//go:build unix

package programs

import (
	"syscall"
	"testing"
)

// Stop stops the process (SIGSTOP) and returns when all of its threads stand
// still. The signal alone is only on its way: until the kernel has looked at it, a
// thread goes on, and can be given a lock that it waited for.
func (r *Process) Stop(tb testing.TB) {
	tb.Helper()
	r.Signal(tb, syscall.SIGSTOP)
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(r.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			tb.Fatalf("wait for the process to stop: %v", err)
		case !status.Stopped():
			tb.Fatalf("the process ended (%d) instead of being stopped", status)
		default:
			return
		}
	}
}
