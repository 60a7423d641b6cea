package lock

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Where SQLite locks the log's index file, in bytes from its beginning
// (https://www.sqlite.org/walformat.html#wal_locks).
const (
	walWriteLock   = 120 // one writer
	walRecoverLock = 122 // one process that reads the log anew; the one between them is a checkpoint's
)

// fileLock is one line of /proc/locks
// (https://man7.org/linux/man-pages/man5/proc_locks.5.html).
type fileLock struct {
	pid        int
	inode      uint64
	device     string // "fe:00"
	write      bool
	start, end int64 // end -1: of the file
}

// lockHolder finds the process that has the write lock of the database file at
// path. It reads /proc/locks: asking with fcntl would mean to open and close the
// file, which drops this process's own locks on it
// (https://www.sqlite.org/howtocorrupt.html, §2.2). told is false where it
// cannot be read.
func lockHolder(path string) (h holder, told bool) {
	f, err := os.Open("/proc/locks")
	if err != nil {
		return holder{}, false
	}
	defer func() { _ = f.Close() }()
	locks := parseLocks(f)
	own := os.Getpid()
	index, line := locksOn(locks, path+"-shm"), locksOn(locks, path+"-turn")
	for _, l := range index {
		if l.pid != own && l.write && l.start <= walRecoverLock && (l.end < 0 || l.end >= walWriteLock) {
			return describe(l.pid), true
		}
	}
	for _, l := range line {
		if l.pid != own {
			return describe(l.pid), true
		}
	}
	return holder{}, true
}

// lockerOf finds another process that has any lock on the file at path.
func lockerOf(path string) (h holder, found bool) {
	f, err := os.Open("/proc/locks")
	if err != nil {
		return holder{}, false
	}
	defer func() { _ = f.Close() }()
	for _, l := range locksOn(parseLocks(f), path) {
		if l.pid != os.Getpid() {
			return describe(l.pid), true
		}
	}
	return holder{}, false
}

// parseLocks reads the lines that it understands; those of who only waits begin
// with an arrow and are left out.
func parseLocks(r io.Reader) []fileLock {
	var all []fileLock
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		// 2: POSIX  ADVISORY  WRITE 29447 fe:00:9978042 120 120
		f := strings.Fields(lines.Text())
		if len(f) != 8 || f[1] == "->" {
			continue
		}
		pid, err := strconv.Atoi(f[4])
		colon := strings.LastIndexByte(f[5], ':')
		if err != nil || pid <= 0 || colon < 0 {
			continue
		}
		l := fileLock{pid: pid, device: f[5][:colon], write: f[3] == "WRITE", end: -1}
		if l.inode, err = strconv.ParseUint(f[5][colon+1:], 10, 64); err != nil {
			continue
		}
		if l.start, err = strconv.ParseInt(f[6], 10, 64); err != nil {
			continue
		}
		if f[7] != "EOF" {
			if l.end, err = strconv.ParseInt(f[7], 10, 64); err != nil {
				continue
			}
		}
		all = append(all, l)
	}
	return all
}

// locksOn picks those on the file at path. On some file systems (overlay,
// btrfs) the kernel's device is not the one that stat tells: if none fits, the
// inode alone has to do.
func locksOn(locks []fileLock, path string) []fileLock {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	device := fmt.Sprintf("%02x:%02x", (stat.Dev>>8)&0xfff, stat.Dev&0xff|(stat.Dev>>12)&0xfff00)
	var same, inode []fileLock
	for _, l := range locks {
		if l.inode != stat.Ino {
			continue
		}
		inode = append(inode, l)
		if l.device == device {
			same = append(same, l)
		}
	}
	if len(same) > 0 {
		return same
	}
	return inode
}

// describe tells what can be seen of a process
// (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
func describe(pid int) holder {
	h := holder{pid: pid}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return h
	}
	// 29447 (a name (with) brackets) T …
	from, to := strings.IndexByte(string(stat), '('), strings.LastIndexByte(string(stat), ')')
	if from < 0 || to < from {
		return h
	}
	h.command = string(stat[from+1 : to])
	if rest := strings.Fields(string(stat[to+1:])); len(rest) > 0 {
		h.stopped = rest[0] == "T" || rest[0] == "t"
	}
	return h
}
