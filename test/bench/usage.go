package main

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a process has used since it started.
type usage struct {
	cpu     time.Duration
	mallocs float64
	peakRSS int64
}

func ownUsage() usage {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru) // fails for a bad argument only
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return usage{
		cpu: time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), mallocs: float64(ms.Mallocs), peakRSS: peakRSS(os.Getpid()),
	}
}

func (u usage) since(before usage) usage {
	return usage{cpu: u.cpu - before.cpu, mallocs: u.mallocs - before.mallocs, peakRSS: u.peakRSS}
}

// Sample is what a contender did in one round.
type Sample struct {
	Rate   float64 `json:"rate_per_second"`
	CPU    float64 `json:"cpu_us_per_notification"`
	Allocs float64 `json:"allocs_per_notification"`
	RSS    float64 `json:"peak_rss_mib"`
	// Others is the share of the machine that other processes took, 0 to 1.
	Others float64 `json:"others_share"`
}

func (u usage) sample(n int, took time.Duration) Sample {
	per := float64(n)
	return Sample{
		Rate: per / took.Seconds(), CPU: u.cpu.Seconds() * 1e6 / per, Allocs: u.mallocs / per, RSS: float64(u.peakRSS) / (1 << 20),
	}
}

// peakRSS reads the most memory that a process has had resident, in bytes. getrusage would not do: it counts what the
// parent had when it started the process.
func peakRSS(pid int) int64 {
	return statusField(pid, "VmHWM:", func(s string) int64 {
		kib, _ := strconv.ParseInt(strings.TrimSuffix(s, " kB"), 10, 64)
		return kib << 10
	})
}

func statusField[T any](pid int, name string, read func(string) T) T {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return read(strings.TrimSpace(rest))
		}
	}
	return read("")
}

// ticks is processor time as the kernel shows it, in 1/100 s on every Linux that Go runs on.
type ticks int64

// processTicks returns what a process, and its children that have ended, have used.
func processTicks(pid int) ticks {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(data), ") ") // the name before may hold anything
	fields := strings.Fields(rest)
	const user, last = 11, 14 // utime, stime, cutime, cstime of proc(5), which counts from the pid
	if len(fields) <= last {
		return 0
	}
	return sum(fields[user : last+1])
}

// machineTicks returns how busy the processors that this process may use have been, for whomever, and how many ticks
// have passed on them. What a hypervisor gave to others counts as busy.
func machineTicks() (busy, all ticks) {
	mine := statusField(os.Getpid(), "Cpus_allowed_list:", cpuList)
	data, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		const user, idle, iowait, steal = 1, 4, 5, 8 // proc_stat(5); guests are within user
		if len(fields) <= steal || !slices.Contains(mine, fields[0]) {
			continue
		}
		all += sum(fields[user : steal+1])
		busy += sum(fields[user:idle]) + sum(fields[iowait+1:steal+1])
	}
	return busy, all
}

// cpuList reads a list such as 0-2,5 into names as /proc/stat has them.
func cpuList(s string) []string {
	var names []string
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil {
			continue
		}
		for i := from; i <= to; i++ {
			names = append(names, "cpu"+strconv.Itoa(i))
		}
	}
	return names
}

func sum(fields []string) ticks {
	var total ticks
	for _, f := range fields {
		n, _ := strconv.ParseInt(f, 10, 64)
		total += ticks(n)
	}
	return total
}

// watch tells what others take of the machine.
type watch struct {
	tree      func() ticks // of all processes of the benchmark
	busy, all ticks
	ours      ticks
}

func startWatch(tree func() ticks) watch {
	w := watch{tree: tree, ours: tree()}
	w.busy, w.all = machineTicks()
	return w
}

// others returns the share of the machine since the start that was neither ours nor idle.
func (w watch) others() float64 {
	busy, all := machineTicks()
	if all == w.all {
		return 0
	}
	theirs := busy - w.busy - (w.tree() - w.ours)
	return min(1, max(0, float64(theirs)/float64(all-w.all)))
}
