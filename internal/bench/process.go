package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// usage is what the process has used.
type usage struct {
	cpu     time.Duration
	mallocs uint64
	bytes   uint64
	peakRSS uint64
}

func usageNow() usage {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru) // fails for a bad argument only
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	cpu := time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	//nolint:gosec // KiB on Linux, never negative
	return usage{cpu: cpu, mallocs: ms.Mallocs, bytes: ms.TotalAlloc, peakRSS: uint64(ru.Maxrss) << 10}
}

func (u usage) since(before usage) usage {
	return usage{cpu: u.cpu - before.cpu, mallocs: u.mallocs - before.mallocs, bytes: u.bytes - before.bytes, peakRSS: u.peakRSS}
}

// child is one of our programs, running beside this one.
type child struct {
	cmd  *exec.Cmd
	addr string // that it said it listens on
}

// startSim starts this very program as the simulator, on its lean server: it shares the cores with what is measured. Of
// so many messages it can say when it had them.
func startSim(ctx context.Context, latency time.Duration, keep int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("bench: find this program: %w", err)
	}
	return startChild(ctx, self, "endpoint", "sim", "--sim-listen", "127.0.0.1:0", "--sim-latency", latency.String(), "--sim-quota", "0",
		"--sim-keep", strconv.Itoa(keep), "--sim-lean")
}

// startChild runs a program and returns when its log names, under the key, the
// address that it listens on.
func startChild(ctx context.Context, program, key string, args ...string) (*child, error) {
	name := filepath.Base(program)
	cmd := exec.CommandContext(ctx, program, append(args, "--log-format", "json")...) //nolint:gosec // a program of ours
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: start %s: %w", name, err)
	}
	c := &child{cmd: cmd}
	says := regexp.MustCompile(`"` + key + `":"([^"]+)"`)
	var last string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		last = lines.Text()
		if m := says.FindStringSubmatch(last); m != nil {
			c.addr = m[1]
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return c, nil
		}
	}
	c.stop()
	return nil, fmt.Errorf("bench: %s ended without saying where it listens; its last words: %s", name, last)
}

// stop lets the program finish its work, and returns what it has used.
func (c *child) stop() usage {
	_ = c.cmd.Process.Signal(os.Interrupt)
	_ = c.cmd.Wait()
	u := usage{}
	if s := c.cmd.ProcessState; s != nil {
		u.cpu = s.UserTime() + s.SystemTime()
		if ru, ok := s.SysUsage().(*syscall.Rusage); ok {
			u.peakRSS = uint64(ru.Maxrss) << 10 //nolint:gosec // KiB on Linux, never negative
		}
	}
	return u
}
