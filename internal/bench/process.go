package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
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
	return usage{cpu: cpu, mallocs: ms.Mallocs, bytes: ms.TotalAlloc, peakRSS: uint64(ru.Maxrss) << 10} //nolint:gosec // KiB on Linux, never negative
}

func (u usage) since(before usage) usage {
	return usage{cpu: u.cpu - before.cpu, mallocs: u.mallocs - before.mallocs, bytes: u.bytes - before.bytes, peakRSS: u.peakRSS}
}

// simProcess is `belfry sim` as a child.
type simProcess struct {
	cmd      *exec.Cmd
	endpoint string
}

// endpointInLog finds where the simulator says that it listens.
var endpointInLog = regexp.MustCompile(`"endpoint":"([^"]+)"`)

func startSim(ctx context.Context, latency time.Duration) (*simProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("bench: find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "sim", "--sim-listen", "127.0.0.1:0", "--sim-latency", latency.String(), "--sim-quota", "0", "--log-format", "json") //nolint:gosec // this very program
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: start the simulator: %w", err)
	}
	s := &simProcess{cmd: cmd}
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if m := endpointInLog.FindStringSubmatch(lines.Text()); m != nil {
			s.endpoint = m[1]
			go func() { _, _ = io.Copy(io.Discard, stderr) }()
			return s, nil
		}
	}
	s.stop()
	return nil, errors.New("bench: the simulator did not say where it listens")
}

func (s *simProcess) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
}
