package top

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/command"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// terminal is a pseudo-terminal of 80×24: what a person sees and types on, and what the program has.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	raw, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n uint32
	failed := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err != nil {
			return
		}
		if n, err = unix.IoctlGetUint32(int(fd), unix.TIOCGPTN); err != nil {
			return
		}
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	})
	if failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// On a real terminal it draws, listens to keys, and leaves the screen as it was.
func TestTerminal(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { clitest.Say(w, http.StatusOK, outage(10)) }))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	person, tty := terminal(t)
	var errs bytes.Buffer
	p := command.Program{Name: "belfry", Grammar: &struct {
		Commands Commands `embed:""`
	}{}, Env: func(string) (string, bool) { return "", false }}
	ended := make(chan int, 1)
	go func() {
		ended <- p.Run(t.Context(), []string{"top", "--api", srv.URL}, &display.Console{In: tty, Out: tty, Err: &errs, Width: 80})
	}()
	// see reads what is drawn until it has a text.
	var seen strings.Builder
	see := func(want string) {
		t.Helper()
		buf := make([]byte, 4096)
		for !strings.Contains(seen.String(), want) {
			n, err := person.Read(buf)
			if err != nil {
				t.Fatalf("%v before %q is drawn: %q", err, want, seen.String())
			}
			seen.Write(buf[:n])
		}
	}
	press := func(keys string) {
		t.Helper()
		if _, err := person.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	const fills, leaves = "\x1b[?1049h", "\x1b[?1049l"
	see(fills)
	see("FAILING: FCM does not answer for shop-prod")
	press("7")
	see("Dead letters, 2")
	press("\r")
	see("dlq-replayer replay run --fingerprint=9f86d081")
	press("q")
	see(leaves)
	if code := <-ended; code != display.ExitOK || errs.Len() > 0 {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	if strings.Contains(seen.String(), "\x1b[31m") {
		t.Error("it is in colours that this console has not")
	}
}
