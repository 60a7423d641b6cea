package lock

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLocks(t *testing.T) {
	t.Parallel()
	const text = `1: FLOCK  ADVISORY  WRITE 29447 fe:00:9978042 0 EOF
2: POSIX  ADVISORY  READ  7 00:2f:12 123 127
2: -> POSIX  ADVISORY  WRITE 8 00:2f:12 123 123
3: OFDLCK ADVISORY  READ -1 fe:00:3 0 EOF
4: LEASE  ACTIVE    READ  9 fe:00
5: POSIX  ADVISORY  WRITE 9 fe:00:x 0 EOF
6: POSIX  ADVISORY  WRITE 9 fe:00:4 zero EOF
7: POSIX  ADVISORY  WRITE 9 fe:00:4 0 end
garbage
`
	want := []fileLock{
		{pid: 29447, inode: 9978042, device: "fe:00", write: true, end: -1},
		{pid: 7, inode: 12, device: "00:2f", start: 123, end: 127},
	}
	if diff := cmp.Diff(want, parseLocks(strings.NewReader(text)), cmp.AllowUnexported(fileLock{})); diff != "" {
		t.Errorf("locks (-want +got):\n%s", diff)
	}
}

func TestHolderSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for want, h := range map[string]holder{
		"process 12":              {pid: 12},
		"process 12 (dispatcher)": {pid: 12, command: "dispatcher"},
		"process 12 (dispatcher), which is stopped: let it go on with kill -CONT 12, or end it": {pid: 12, command: "dispatcher", stopped: true},
	} {
		if got := h.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := describeHolder("/nowhere/a.db"); !strings.Contains(got, "another process") {
		t.Errorf("nobody has it: %q", got)
	}
	if h := describe(1 << 30); h.command != "" || h.stopped {
		t.Errorf("a process that is not there: %+v", h)
	}
}
