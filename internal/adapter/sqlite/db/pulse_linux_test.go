package db

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/belfry-push/belfry/internal/adapter/sqlite/childtest"
)

// ownNamespace gives a child file systems of its own, in which it may mount.
func ownNamespace(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}

// ownDisk mounts a small disk on the directory; the namespace takes it along.
func ownDisk(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
}

// A disk that is full, as the operating system has it.
func TestPulseOnAFullDisk(t *testing.T) {
	t.Parallel()
	c := childtest.Spawn(t, "small", t.TempDir(), ownNamespace)
	for _, want := range []string{`new: ""`, `write: "full"`, `pulse: "full"`} {
		if got := c.Line(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
