package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/app/ingester"
	"github.com/belfry-push/belfry/internal/config"
)

var serveDir = flag.String("serve", "", "be the ingest service on this data directory until standard input ends")

func TestMain(m *testing.M) {
	flag.Parse()
	if *serveDir != "" {
		os.Exit(serve(*serveDir))
	}
	goleak.VerifyTestMain(m)
}

// serve is the ingest service in a process of its own, so that what it takes can
// be measured.
func serve(dir string) int {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	log, err := zap.NewProduction()
	if err != nil {
		return 1
	}
	cfg := config.Ingest{
		Store: config.Store{Backend: config.BackendEmbedded, Data: dir, Visibility: 30 * time.Second},
		API:   config.API{Listen: "127.0.0.1:0"}, Stop: config.Stop{Drain: time.Second},
	}
	if err := ingester.Run(ctx, cfg, log, nil, io.Discard); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// server is the ingest service in another process.
type server struct {
	url string
	pid int
}

func start(tb testing.TB, dir string) server {
	tb.Helper()
	cmd := exec.Command(os.Args[0], "-serve", dir)
	hold, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	logs, err := cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	address := make(chan string, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines := bufio.NewScanner(logs); lines.Scan(); {
			var line struct{ Listen string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Listen != "" {
				address <- line.Listen
			}
		}
	}()
	tb.Cleanup(func() {
		_ = hold.Close()
		<-drained
		if err := cmd.Wait(); err != nil {
			tb.Errorf("the server ended with %v", err)
		}
	})
	select {
	case a := <-address:
		return server{url: "http://" + a, pid: cmd.Process.Pid}
	case <-drained:
		tb.Fatal("the server ended before it listened")
		return server{}
	}
}

// memory returns a line of the server's /proc/PID/status in bytes, such as VmRSS
// or VmHWM; 0 where there is no such file.
func (s server) memory(tb testing.TB, name string) int64 {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), name+":")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kib, 10, 64)
	if err != nil {
		tb.Fatalf("%s in /proc: %v", name, err)
	}
	return n << 10
}

// connect returns a client whose connections end with the test.
func connect(tb testing.TB, url string) *client.Client {
	tb.Helper()
	tr := &http.Transport{MaxIdleConnsPerHost: 4}
	tb.Cleanup(tr.CloseIdleConnections)
	c, err := client.New(url, "", client.WithHTTPClient(&http.Client{Transport: tr}))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}
